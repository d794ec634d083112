import { definePlugin, Kernel, type Plugin, serviceToken } from '@keelson/core';
import { Container } from 'inversify';
import { describe, expect, test } from 'vitest';
import { runKeelson } from '../support/run-keelson.js';

const services = Array.from({ length: 20 }, (_, index) => serviceToken<{ readonly number: number }>(`bench/${index}`));

/** Twenty plugins in five levels, each with a service, that do nothing of their own. */
const plugins: Record<string, Plugin> = Object.fromEntries(
  services.map((token, index) => {
    const before = services[index - 4];
    const plugin = definePlugin({
      name: `plugin-${index}`,
      provides: [token],
      requires: before === undefined ? [] : [before],
      register: ({ bind }) =>
        void bind(token)
          .toDynamicValue(() => ({ number: index }))
          .inSingletonScope(),
      start() {},
      stop() {},
    });
    return [`plugin-${index}`, plugin as Plugin];
  }),
);

const start = () => Kernel.start({ config: { service: 'bench' }, plugins, variables: {} });

describe('what the kernel costs', () => {
  test('a start and a stop with 20 plugins that do nothing', async () => {
    const starts: number[] = [];
    const stops: number[] = [];
    for (let run = 0; run < 21; run += 1) {
      const startedAt = performance.now();
      const kernel = await start();
      starts.push(performance.now() - startedAt);
      const stoppedAt = performance.now();
      await kernel.stop();
      stops.push(performance.now() - stoppedAt);
    }
    console.log(`first start ${starts[0]?.toFixed(1)} ms, median ${median(starts)} ms; stop ${median(stops)} ms`);
    expect(starts).toHaveLength(21);
  });

  test('container.get of a started singleton beside plain Inversify', async () => {
    const kernel = await start();
    const plain = new Container();
    for (const [index, token] of services.entries()) {
      plain
        .bind(token)
        .toDynamicValue(() => ({ number: index }))
        .inSingletonScope();
    }
    const [token = serviceToken<{ readonly number: number }>('bench/none')] = services;
    const costs = { kernel: [] as number[], plain: [] as number[] };
    for (let round = 0; round < 11; round += 1) {
      costs.kernel.push(nanosecondsOf(() => kernel.container.get(token)));
      costs.plain.push(nanosecondsOf(() => plain.get(token)));
    }
    await kernel.stop();
    console.log(`container.get: kernel ${median(costs.kernel)} ns, plain Inversify ${median(costs.plain)} ns`);
    expect(kernel.container).toBeInstanceOf(Container);
  });

  test('keelson check of the orders example, as a process', { timeout: 60_000 }, async () => {
    const times: number[] = [];
    for (let run = 0; run < 6; run += 1) {
      const startedAt = performance.now();
      const { code } = await runKeelson(['check']);
      expect(code).toBe(0);
      times.push(performance.now() - startedAt);
    }
    console.log(`keelson check: first ${times[0]?.toFixed(0)} ms, median ${median(times.slice(1))} ms`);
  });
});

function median(values: readonly number[]): string {
  return (values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0).toFixed(1);
}

function nanosecondsOf(work: () => unknown): number {
  const count = 100_000;
  const startedAt = performance.now();
  for (let call = 0; call < count; call += 1) work();
  return ((performance.now() - startedAt) * 1_000_000) / count;
}
