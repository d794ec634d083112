import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { definePlugin, Kernel, type Plugin, serviceToken } from '@keelson/core';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { Container } from 'inversify';
import { describe, expect, test } from 'vitest';
import { reportFigure } from './micro-report.js';
import { median } from './statistics.js';

interface FirstStart {
  readonly loadMs: number;
  readonly firstMs: number;
  readonly warmMs: number;
}

const child = fileURLToPath(new URL('first-start.child.ts', import.meta.url));

/** In a process of its own, where nothing is loaded or compiled yet. */
async function firstStart(words: readonly string[]): Promise<FirstStart> {
  const { stdout } = await promisify(execFile)(process.execPath, [child, ...words]);
  return JSON.parse(stdout) as FirstStart;
}

function configuration(): string {
  const plugins = Array.from({ length: 20 }, (_, index) =>
    [`  plugin-${index}:`, '    host: db', '    port: 5432', '    timeoutMs: 5s', '    pool: { max: 20 }'].join('\n'),
  );
  return ['service: bench', 'plugins:', ...plugins, ''].join('\n');
}

function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'keelson-bench-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

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
      start: () => ({ stop() {} }),
    });
    return [`plugin-${index}`, plugin as Plugin];
  }),
);

const start = () => Kernel.start({ config: { service: 'bench' }, plugins, variables: {} });

describe('what the kernel costs', () => {
  test.for([
    { title: 'configured in code, without schemas', file: undefined },
    { title: 'a YAML file of 100 lines, a schema each', file: 'keelson.yaml' },
  ])(
    'a start with 20 plugins that do nothing, each time in a new process: $title',
    {
      timeout: 120_000,
    },
    async ({ title, file }) => {
      using folder = temporaryFolder();
      if (file !== undefined) writeFileSync(join(folder.path, file), configuration());
      const runs: FirstStart[] = [];
      for (let run = 0; run < 15; run += 1) {
        runs.push(await firstStart(file === undefined ? [] : [join(folder.path, file)]));
      }
      console.log(
        [
          `${title} (minimum / median of ${runs.length} processes)`,
          `  loading the modules      ${spread(runs.map(run => run.loadMs))} ms`,
          `  first start              ${spread(runs.map(run => run.firstMs))} ms`,
          `  fifth start              ${spread(runs.map(run => run.warmMs))} ms`,
        ].join('\n'),
      );
      const name = `the first start of 20 plugins that do nothing: ${title}`;
      reportFigure({ name, value: median(runs.map(run => run.firstMs)), unit: 'ms' });
      expect(runs).toHaveLength(15);
    },
  );

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
    reportFigure({ name: 'container.get of a started singleton', value: median(costs.kernel), unit: 'ns' });
    reportFigure({ name: 'container.get of plain Inversify', value: median(costs.plain), unit: 'ns' });
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
    // The first finds nothing in the caches.
    reportFigure({ name: 'keelson check of the orders example', value: median(times.slice(1)), unit: 'ms' });
  });
});

function spread(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(1)} / ${median(values).toFixed(1)}`;
}

function nanosecondsOf(work: () => unknown): number {
  const count = 100_000;
  const startedAt = performance.now();
  for (let call = 0; call < count; call += 1) work();
  return ((performance.now() - startedAt) * 1_000_000) / count;
}
