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

test.each([
  ['at start', `export default { name: 'a', start() {\n  undefined.value;\n} };`, 'start at a.plugin.js:2:13'],
  ['at import', `export default { name: 'a' };\nundefined.value;`, 'import at a.plugin.js:2:11'],
  ['in another file', `import { value } from './other.js';\nexport default value;`, 'import at other.js:1:32'],
  ['in an import', `\nimport { name } from './a.manifest.js';\nexport default name;`, 'import at a.plugin.js:2'],
])('an error of the code of the service is reported with its place: %s', async (_case, code, place) => {
  const files = {
    'keelson.yaml': { service: 'shop', plugins: { a: { use: './a.plugin.js' } } },
    'a.manifest.js': `export default { name: 'a' };`,
    'a.plugin.js': code,
    'other.js': 'export const value = undefined.value;',
  };
  const { err } = await keelson(files, ['start']).ended;
  expect(err).toContain(`(in ${place}`);
});

test('a plugin beside its manifest that has no default export', async () => {
  const files = {
    'keelson.yaml': { service: 'shop', plugins: { a: { use: './a.plugin.js' } } },
    'a.manifest.js': `export default { name: 'a' };`,
    'a.plugin.js': `export const plugin = { name: 'a' };`,
  };
  const { err } = await keelson(files, ['start']).ended;
  expect(err).toContain('PLUGIN_INVALID  ./a.plugin.js is not a usable plugin: its default export is missing');
  expect(err).toContain('-> Export the result of definePlugin as the default export.');
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
