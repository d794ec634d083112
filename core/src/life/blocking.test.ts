import { expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.js';
import { startStaggered } from '../time/staggered-start.js';
import { Blocking } from './blocking.js';
import { Kernel } from './kernel.js';
import { formatStartReport, type PluginStartReport } from './report.js';
import { testServiceFolder } from './service.fixture.js';
import { Book, book, failing, startKernel } from './start.fixture.js';

/** A clock that advances only when a test reports that it has blocked the process. */
class WorkClock extends FakeClock {
  #worked = 0;

  override now(): number {
    return super.now() + this.#worked;
  }

  readonly work = (ms: number): void => {
    this.#worked += ms;
  };
}

const byKey = (plugins: readonly PluginStartReport[]) =>
  Object.fromEntries(plugins.map(plugin => [plugin.key, plugin]));

test('a hook that blocks the process is found, and the hooks that waited for it are not blamed', async () => {
  const clock = new WorkClock();
  const plugins = {
    quick: { name: 'quick', start: async () => clock.work(5) },
    block: { name: 'block', start: () => clock.work(3_000) },
  };
  await using kernel = await startKernel({ plugins, clock });
  const { quick, block } = byKey(kernel.report.plugins);
  expect(block).toMatchObject({ startMs: 3_000, blockedMs: 3_000, behind: {} });
  expect(quick).toMatchObject({ startMs: 3_005, blockedMs: 5, behind: { block: 3_000 } });
  expect(formatStartReport(kernel.report)).toBe(
    [
      'test ready in 3005 ms',
      '├── (plan)      0 ms  configuration and manifests',
      '├── quick       5 ms  code:quick  (and 3000 ms blocked by block)',
      '└── block    3000 ms  code:block  blocks the process for 3000 ms',
    ].join('\n'),
  );
});

test('a start that fails says who was kept from going on, and by whom', async () => {
  const clock = new WorkClock();
  const plugins = {
    late: {
      name: 'late',
      start: async () => {
        await Promise.resolve();
        throw new Error('too late');
      },
    },
    block: { name: 'block', start: () => clock.work(3_000) },
  };
  const { message } = await failing({ plugins, clock });
  expect(message).toContain('  late: too late (in start, after 3000 ms, 3000 of them blocked by block)');
});

test('a service that blocks while it is made counts for the plugin that provides it', async () => {
  const clock = new WorkClock();
  const slow = book({
    register: ({ bind }) =>
      void bind(Book)
        .toDynamicValue(() => {
          clock.work(60);
          return { name: 'book' };
        })
        .inSingletonScope(),
  });
  await using kernel = await startKernel({ plugins: { book: slow }, clock });
  expect(byKey(kernel.report.plugins).book).toMatchObject({ startMs: 60, blockedMs: 60 });
});

test('the import of a file counts for its plugin and not for the plan', async () => {
  const clock = new WorkClock();
  Object.assign(globalThis, { workOfTest: clock.work });
  const folder = testServiceFolder({
    'keelson.yaml': { service: 'test', plugins: { busy: { use: './busy.js' }, late: { use: './late.js' } } },
    'busy.js': `workOfTest(150); export default { name: 'busy' };`,
    'late.js': `await new Promise(setImmediate); workOfTest(1_500); export default { name: 'late' };`,
  });
  await using kernel = await Kernel.start({ config: folder.config, variables: {}, clock });
  const { busy, late } = byKey(kernel.report.plugins);
  expect(busy?.importMs).toBeGreaterThanOrEqual(150);
  expect(late?.importMs).toBeGreaterThanOrEqual(1_500);
  expect(kernel.report).toMatchObject({ planMs: 0, durationMs: 1_650 });
});

test('one after the other, so that each has a time of its own', async () => {
  const order: string[] = [];
  await startStaggered(['a', 'b'], async name => {
    order.push(`${name} begins`);
    await Promise.resolve();
    order.push(`${name} ends`);
  });
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('one that waits long keeps the next waiting for a moment only', async () => {
  const order: string[] = [];
  const end = Promise.withResolvers<void>();
  await startStaggered(['long', 'short'], async name => {
    order.push(`${name} begins`);
    if (name === 'long') await end.promise;
    else end.resolve();
    order.push(`${name} ends`);
  });
  expect(order).toEqual(['long begins', 'short begins', 'short ends', 'long ends']);
});

test('blocking is counted between the two times that are asked for', () => {
  let now = 0;
  const blocking = new Blocking({ now: () => now } as ConstructorParameters<typeof Blocking>[0]);
  for (const [key, ms] of [
    ['a', 10],
    ['b', 20],
    ['a', 5],
  ] as const)
    blocking.watch(key, () => (now += ms));
  expect(Object.fromEntries(blocking.between(5, 32))).toEqual({ a: 7, b: 20 });
});
