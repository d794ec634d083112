import { expect, onTestFinished, test } from 'vitest';
import { Blocking } from './blocking.js';
import { Book, book, boot } from './boot.fixture.js';
import { Kernel } from './kernel.js';
import { oneByOne } from './one-by-one.js';
import { formatBootReport, type PluginStartReport } from './report.js';
import { serviceFolder } from './service.fixture.js';

/** Does nothing but keep the process. */
const block = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

const byKey = (plugins: readonly PluginStartReport[]) =>
  Object.fromEntries(plugins.map(plugin => [plugin.key, plugin]));

test('a hook that blocks the process is found, and those who only waited behind it are not blamed', async () => {
  const plugins = {
    quick: { name: 'quick', start: async () => {} },
    block: { name: 'block', start: () => block(120) },
  };
  await using kernel = await boot({ plugins });
  const { quick, block: blocker } = byKey(kernel.report.plugins);
  expect(blocker?.blockedMs).toBeGreaterThanOrEqual(119);
  expect(blocker?.behind.quick ?? 0).toBeLessThan(60);
  expect(quick?.behind.block).toBeGreaterThanOrEqual(119);
  expect(quick?.startMs).toBeGreaterThanOrEqual(quick?.behind.block ?? 0);
  expect(quick?.blockedMs).toBeLessThan(60);
  const text = formatBootReport(kernel.report).replaceAll(/1[1-9]\d ms/g, '120 ms');
  expect(text).toMatch(/block +120 ms {2}code:block {2}blocks the process for 120 ms$/m);
  expect(text).toMatch(/quick +\d{1,2} ms {2}code:quick {2}\(and 120 ms behind block\)$/m);
});

test('a service that blocks while it is made counts for the one that provides it', async () => {
  const slow = book({
    register: ({ bind }) =>
      void bind(Book)
        .toDynamicValue(() => {
          block(60);
          return { name: 'book' };
        })
        .inSingletonScope(),
  });
  await using kernel = await boot({ plugins: { book: slow } });
  expect(byKey(kernel.report.plugins).book?.blockedMs).toBeGreaterThanOrEqual(59);
});

test('the import of a file counts as its own, though the plan does it, and is no time of the plan', async () => {
  const folder = serviceFolder({
    'keelson.yaml': {
      service: 'test',
      plugins: { quick: { use: './quick.js' }, busy: { use: './busy.js' }, last: { use: './last.js' } },
    },
    'quick.js': `export default { name: 'quick' };`,
    'busy.js': `const until = performance.now() + 150; while (performance.now() < until); export default { name: 'busy' };`,
    'last.js': `await new Promise(resolve => setTimeout(resolve, 150)); export default { name: 'last' };`,
  });
  onTestFinished(() => folder[Symbol.dispose]());
  await using kernel = await Kernel.start({ config: folder.config, variables: {} });
  const { quick, busy, last } = byKey(kernel.report.plugins);
  expect(busy?.importMs).toBeGreaterThanOrEqual(149);
  expect(last?.importMs).toBeGreaterThanOrEqual(149);
  expect(quick?.importMs).toBeLessThan(100);
  expect(kernel.report.planMs).toBeLessThanOrEqual(kernel.report.durationMs - 299);
  expect(formatBootReport(kernel.report)).toMatch(/^├── \(plan\) +\d+ ms {2}configuration and manifests$/m);
});

test('one that waits long keeps the next waiting for a moment only', async () => {
  const order: string[] = [];
  const end = Promise.withResolvers<void>();
  await oneByOne(['long', 'short'], async name => {
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
