import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

const files = {
  'nothing.js': '',
  'wrong.js': 'export default { name: "wrong", start: 3 };',
  'broken.js': 'import "nowhere";',
  'empty-logger.js': 'export default { name: "empty", slot: "logger" };',
};

test.each([
  ['./nothing.js', 'PLUGIN_INVALID', 'its default export is missing, not a plugin'],
  ['./wrong.js', 'PLUGIN_INVALID', 'its start is not a function'],
  ['./broken.js', 'PLUGIN_IMPORT_FAILED', "Cannot find package 'nowhere'"],
  ['./gone.js', 'PLUGIN_NOT_INSTALLED', 'No file, folder or installed package'],
])('keelson verify %s says why, for a person and as JSON', async (plugin, code, why) => {
  const run = await keelson(files, ['verify', plugin, '--json']).ended;
  expect(run.code).toBe(1);
  expect(run.err).toContain(`${code}  `);
  expect(run.err).toContain(why);
  expect(JSON.parse(run.out).error).toMatchObject({ code, message: expect.stringContaining(why) });
});

test('keelson verify says what to do when the plugin imports what is not installed', async () => {
  const { err } = await keelson(files, ['verify', './broken.js']).ended;
  expect(err).toContain('-> Install what it imports, or build it.');
});

test.each([
  ['./gone.js', 'Fix the path.'],
  ['@keelson/retry-opposum', 'Fix the path. Write @keelson/retry-opossum.'],
  ['@keelson/health', 'Fix the path. Run: npm install @keelson/health'],
])(
  'keelson verify %s, which does not exist, never proposes to install a name that may be misspelled',
  async (plugin, hint) => {
    const { out } = await keelson(files, ['verify', plugin, '--json']).ended;
    expect(JSON.parse(out).error).toMatchObject({ code: 'PLUGIN_NOT_INSTALLED', hint });
  },
);

test('keelson verify prints a reason shared by many failed cases once', async () => {
  const deaf = `import { Logger } from '@keelson/core';
const quiet = { isEnabled: () => true, child: () => quiet, flush: async () => {} };
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) quiet[level] = text => { if (text === 'probe') console.log(text); };
export default { name: 'deaf', slot: 'logger', provides: [Logger], register: ({ bind }) => void bind(Logger).toConstantValue(quiet) };`;
  const { out } = await keelson({ 'deaf.js': deaf }, ['verify', './deaf.js']).ended;
  expect(out).toContain('carries the ids of the current request\n      for the same reason\n');
  expect(out).not.toContain('actual - expected');
});

test('keelson verify tries nothing more when the plugin does not start, and says so', async () => {
  const broken = `export default { name: 'broken', startTimeoutMs: 200,
  start({ waitingFor }) { waitingFor('its server'); return new Promise(() => {}); } };`;
  const text = await keelson({ 'broken.js': broken }, ['verify', './broken.js']).ended;
  expect(text.code).toBe(1);
  expect(text.out.match(/did not finish its start within 200 ms; it was waiting for its server/g)).toHaveLength(1);
  const why = 'because "binds what it provides, starts, and stops cleanly" failed';
  expect(text.out).toMatch(new RegExp(`broken: 3 passed, 1 failed, 2 not tried, ${why}\n$`));
  const json = await keelson({ 'broken.js': broken }, ['verify', './broken.js', '--json']).ended;
  expect(JSON.parse(json.out).results.at(-1)).toMatchObject({ outcome: 'not-tried', reason: expect.any(String) });
});

test('an invalid plan is reported as JSON with its problems, also by a command that only throws', async () => {
  const service = { 'keelson.yaml': 'plugins: { database: { use: ./gone.js } }' };
  const run = await keelson(service, ['migrate', '--json']).ended;
  expect(run.code).toBe(1);
  expect(JSON.parse(run.out).error).toMatchObject({
    code: 'KERNEL_PLAN_INVALID',
    problems: [{ code: 'PLUGIN_FILE_MISSING', path: 'plugins.database.use' }],
  });
});

test('keelson new prints as JSON the files that it wrote', async () => {
  const run = keelson({}, ['new', 'plugin', 'audit', '--json']);
  const { code, out } = await run.ended;
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ name: 'audit', files: expect.arrayContaining(['index.js', 'manifest.js']) });
});

test('the error of a mistyped option names the nearest option', async () => {
  const { code, err } = await keelson({}, ['check', '--enviroment', 'production']).ended;
  expect(code).toBe(2);
  expect(err).toContain('Option --enviroment does not exist. Did you mean --environment?\n\nUsage: keelson check');
});

test('a secret of the configuration is in no output, even when the plugin puts it into its own error', async () => {
  const service = {
    'keelson.yaml':
      'plugins:\n  mail:\n    use: ./mail.js\n    pin: Hidden-4711\n    hosts: [{ name: a, key: Hidden-4712 }]\n',
    'mail.js': `import { definePlugin } from '@keelson/core';
import { z } from 'zod';
const hidden = z.string().meta({ secret: true });
export default definePlugin({ name: 'mail', config: z.object({ pin: hidden, hosts: z.array(z.object({ name: z.string(), key: hidden })) }),
  start({ config }) { throw new Error('refused ' + config.pin + ' and ' + config.hosts[0].key); } });`,
  };
  for (const words of [
    ['start', '--verbose'],
    ['start', '--json'],
    ['doctor', '--json'],
    ['explain', '--json'],
    ['check', '--json'],
  ]) {
    const { out, err } = await keelson(service, words).ended;
    expect(out + err).not.toContain('Hidden-47');
  }
  expect((await keelson(service, ['start']).ended).err).toContain('mail: refused [masked] and [masked]');
});

test('an optional plugin that failed is named with its code once, by the start, by status and by the stop', async () => {
  const service = {
    'keelson.yaml': {
      plugins: { opt: { use: './opt.js', optional: true }, coded: { use: './coded.js', optional: true } },
    },
    'opt.js': `export default { name: 'opt', start() { throw new Error('no license'); } };`,
    'coded.js': `import { KeelsonError } from '@keelson/core';
export default { name: 'coded', start() { throw new KeelsonError({ code: 'LICENSE_GONE', message: 'It is gone.' }); } };`,
  };
  const run = keelson(service, ['start']);
  await run.until('no license');
  const { out } = await run.also(['status']).ended;
  run.child.kill('SIGTERM');
  const { err } = await run.ended;
  expect(err).toMatch(/opt +\d+ ms {2}failed: no license {2}\(optional/);
  expect(err).toMatch(/coded +\d+ ms {2}LICENSE_GONE {2}It is gone\. {2}\(optional/);
  expect(out).toMatch(/^ {2}opt {2}\.\/opt\.js {2}failed.* {2}no license$/m);
  expect(out).toMatch(/^ {2}coded {2}\.\/coded\.js {2}failed.* {2}LICENSE_GONE: It is gone\.$/m);
  expect(out).not.toContain('failed: no license');
});
