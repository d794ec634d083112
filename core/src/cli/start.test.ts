import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const failing = {
  'keelson.yaml': { service: 'shop', plugins: { a: { use: './a.js' } } },
  'a.js': `export default { name: 'a', start() { throw new Error('no luck'); } };`,
};
const broken = { 'keelson.yaml': { plugins: { a: { use: './gone.js' }, b: { use: './gone-too.js' } } } };

test('keelson start --json prints as JSON why it did not start: an invalid plan', async () => {
  const { code, out } = await keelson(broken, ['start', '--json']).ended;
  expect(code).toBe(1);
  expect(JSON.parse(out).error).toMatchObject({
    code: 'KERNEL_PLAN_INVALID',
    problems: [{ code: 'PLUGIN_FILE_MISSING' }, { code: 'PLUGIN_FILE_MISSING' }],
  });
});

test('a configuration that is missing', async () => {
  const { code, out } = await keelson({}, ['start', '--json']).ended;
  expect(code).toBe(1);
  expect(JSON.parse(out).error).toMatchObject({ problems: [{ code: 'CONFIG_FILE_MISSING' }] });
});

test('a plugin that does not start', async () => {
  const { code, out } = await keelson(failing, ['start', '--json']).ended;
  expect(code).toBe(1);
  expect(JSON.parse(out).error).toMatchObject({
    code: 'KERNEL_START_FAILED',
    report: { outcome: 'failed', plugins: [{ key: 'a', error: { message: 'no luck' } }] },
  });
});

test('a start that is cancelled', async () => {
  const slow = {
    ...failing,
    'a.js': `export default { name: 'a', start: ({ clock, signal }) => clock.sleep(60_000, signal) };`,
  };
  const run = keelson(slow, ['start', '--json'], { KEELSON_STARTUP__SLOW_MS: '10' });
  await run.until('Still starting');
  run.child.kill('SIGTERM');
  const { code, out } = await run.ended;
  expect(code).toBe(0);
  expect(JSON.parse(out).error).toMatchObject({ code: 'KERNEL_START_CANCELLED' });
});
