import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const service = {
  'keelson.yaml': 'service: shop\nplugins:\n  audit:\n    use: ./audit.js\n    everyCall: true\n',
  'keelson.production.yaml': '',
  'audit.js': `import { defineManifest, RetryPolicy } from '@keelson/core';
import { z } from 'zod';
export default defineManifest({
  name: 'audit',
  config: z.object({ everyCall: z.boolean().default(false) }),
  decorates: [RetryPolicy],
  check: ({ config, environment }) => config.everyCall && environment === 'production'
    ? [{ code: 'AUDIT_TOO_MUCH', path: ['everyCall'], message: 'Too much for production.', action: 'Remove it.' }]
    : [],
});`,
};

test('keelson explain names who may decorate a slot that only its default fills, and JSON has both sides', async () => {
  const { code, out } = await keelson(service, ['explain', 'retry']).ended;
  expect([code, out]).toEqual([0, 'retry: single attempt  (nothing is configured)\n  may be decorated by audit\n']);
  expect((await keelson(service, ['explain', 'audit']).ended).out).toContain('\n  may decorate retry\n');
  expect(JSON.parse((await keelson(service, ['explain', '--json']).ended).out).groups).toMatchObject([
    { key: 'kernel', decoratedBy: [], decorates: [] },
    { key: 'audit', decoratedBy: [], decorates: ['retry'] },
    { key: 'retry', filledBy: 'single attempt  (nothing is configured)', decoratedBy: ['audit'], decorates: [] },
  ]);
});

test('keelson check and graph show it, as text and as JSON', async () => {
  const { out } = await keelson(service, ['check']).ended;
  expect(out).toMatch(/^ {2}retry +single attempt {2}\(nothing is configured\)\n +may be decorated by audit$/m);
  expect(out).toContain('  1. audit  ./audit.js  may decorate retry');
  for (const words of [
    ['check', '--json'],
    ['graph', '--json'],
  ]) {
    const plan = JSON.parse((await keelson(service, words).ended).out);
    expect(plan.plugins).toMatchObject([{ key: 'audit', decorates: ['retry'], decoratedBy: [] }]);
    expect(plan.slots).toContainEqual(expect.objectContaining({ slot: 'retry', decoratedBy: ['audit'] }));
  }
});

test('keelson explain of a plugin says when it starts, how long it may take, and what it gives and needs', async () => {
  const plugins = {
    'keelson.yaml':
      'plugins:\n  logger: { use: ./log.js }\n  store: { use: ./store.js }\n  orders: { use: ./orders.js, startTimeoutMs: 5s }\n',
    'log.js': `export default { name: 'log', slot: 'logger', provides: [Symbol.for('@keelson/core/Logger')] };`,
    'store.js': `export default { name: 'store', provides: [Symbol.for('test/Store')], capabilities: ['batch', 'stream'] };`,
    'orders.js': `export default { name: 'orders', requires: [Symbol.for('test/Store')], provides: [Symbol.for('test/Orders')],
      needsCapabilities: { store: ['batch'] }, perSession: [Symbol.for('test/Cart')] };`,
  };
  const { out } = await keelson(plugins, ['explain', 'orders']).ended;
  expect(out.split('\n').slice(1)).toEqual([
    '  starts in level 3, after store (needs its capabilities), logger (reports to @keelson/core/Logger)',
    '  may take 5000 ms to start, 10000 ms to stop',
    '  provides test/Orders',
    '  needs from store: batch',
    '  one for each session: test/Cart',
    '',
  ]);
  expect((await keelson(plugins, ['explain', 'store']).ended).out).toContain('\n  can do: batch, stream\n');
  const plan = JSON.parse((await keelson(plugins, ['check', '--json']).ended).out);
  expect(plan.plugins.at(-1)).toMatchObject({
    requires: ['test/Store'],
    uses: [],
    needsCapabilities: { store: ['batch'] },
    perSession: ['test/Cart'],
    startTimeoutMs: 5_000,
  });
});

test('keelson check reports a finding of a manifest in one environment, with its place, and exits with 1', async () => {
  const { code, err } = await keelson(service, ['check', '--environment', 'production']).ended;
  expect(code).toBe(1);
  expect(err).toContain(
    'keelson.yaml:5:16  AUDIT_TOO_MUCH\n  Too much for production.\n  -> Remove it.\n\n1 problem. Nothing was started.',
  );
  expect((await keelson(service, ['check']).ended).code).toBe(0);
});
