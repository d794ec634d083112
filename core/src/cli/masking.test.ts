import { expect, test } from 'vitest';
import { keelson } from './keelson.fixture.js';

/** Words of a plugin or a driver with a password in a URL, one in a parameter, and a value that is typed as a secret. */
const words = 'cannot reach postgresql://u:hunter2@h/x?password=hunter2p&sig=hunter2s with hunter2-Secretvalue';
const shown = 'cannot reach postgresql://[masked]@h/x?password=[masked]&sig=[masked] with [masked]';

const service = (use: string, more: object = {}) => ({
  service: 'shop',
  startup: { slowMs: 100 },
  plugins: { x: { use, pin: 'hunter2-Secretvalue', ...more } },
});

const plugin = (hooks: string, before = '') => `import { definePlugin, defineOperation } from '@keelson/core';
import { z } from 'zod';
const words = ${JSON.stringify(words)};
const fail = () => { throw new Error(words); };
${before}
export default definePlugin({ name: 'x', config: z.object({ pin: z.string().meta({ secret: true }), endpoint: z.string().optional() }),
  ${hooks} });`;

async function printed(hooks: string, command: string[], before = ''): Promise<string> {
  const files = { 'keelson.yaml': service('./x.js'), 'x.js': plugin(hooks, before) };
  const { out, err } = await keelson(files, command).ended;
  return out + err;
}

const diagnosing =
  "diagnoses: true, start: () => ({ diagnose: () => [{ name: 'd', status: 'fail', output: words, hint: words }] })";

test.each([
  ['start', 'a start that fails', 'start: fail'],
  ['start --json', 'a start that fails', 'start: fail'],
  ['start --verbose', 'a start that fails', 'start: fail'],
  ['start', 'a stop that fails after it', 'start({ defer }) { defer(fail); fail(); }'],
  ['check', 'a check of the manifest that throws', 'check: fail'],
  ['check', 'a finding of the manifest', 'check: () => [{ message: words, action: words }]'],
  ['check --json', 'a finding of the manifest', 'check: () => [{ message: words, action: words }]'],
  ['doctor', 'a diagnosis', diagnosing],
  ['doctor --json', 'a diagnosis', diagnosing],
  ['doctor', 'a diagnosis that throws', 'diagnoses: true, start: () => ({ diagnose: async () => fail() })'],
])('keelson %s prints no secret of %s', async (command, _what, hooks) => {
  const text = await printed(hooks, command.split(' '));
  expect(text).toContain(shown);
  expect(text).not.toContain('hunter2');
});

test('a masked cause that the message quotes is not repeated', async () => {
  expect(await printed('start: fail', ['start'])).not.toContain('because:');
});

test('the error of a module that throws while it is imported is masked', async () => {
  for (const command of [['check'], ['check', '--json'], ['start'], ['verify', './x.js']]) {
    const text = await printed('', command, 'fail();');
    expect(text).toContain('PLUGIN_IMPORT_FAILED');
    expect(text).toContain('postgresql://[masked]@h/x?password=[masked]');
    expect(text).not.toMatch(/hunter2[@ps]/);
  }
});

test('the report of a slow start is masked', async () => {
  const run = keelson(
    {
      'keelson.yaml': service('./x.js'),
      'x.js': plugin('start: ({ waitingFor }) => { waitingFor(words); return new Promise(() => {}); }'),
    },
    ['start'],
  );
  await run.until('Still starting');
  run.child.kill('SIGTERM');
  const { err } = await run.ended;
  expect(err).toContain(`x (waits for ${shown})`);
  expect(err).not.toContain('hunter2');
});

test('a running service masks its answers to status, reload and do, and the report of its stop', async () => {
  const hooks = `start: () => ({ inspect: () => ({ facts: { words } }), stop: fail,
    operations: { show: { description: 'show', arguments: z.object({}), run: () => words },
      fail: { description: 'fail', arguments: z.object({}), run: fail } } })`;
  const endpoint = 'https://u:hunter2@h/x?token=hunter2q&sig=hunter2s';
  const files = { 'keelson.yaml': service('./x.js', { endpoint }), 'x.js': plugin(hooks) };
  const run = keelson(files, ['start']);
  await run.until('ready in');
  const told = async (...command: string[]) => {
    const { out, err } = await run.also(command).ended;
    expect(out + err).not.toContain('hunter2');
    return out + err;
  };
  expect(await told('do', 'x', 'show')).toContain(shown);
  expect(await told('do', 'x', 'fail')).toContain(shown);
  expect(await told('do', 'x', 'show', '--json')).toContain(shown);
  expect(await told('status')).toContain(shown);
  const safe = '"https://[masked]@h/x?token=[masked]&sig=[masked]"';
  expect(await told('explain', 'x')).toContain(safe);
  run.folder.write('keelson.yaml', service('./x.js', { endpoint: `${endpoint}&b=1` }));
  expect(await told('reload')).toContain(`${safe} -> "https://[masked]@h/x?token=[masked]&sig=[masked]&b=1"`);
  run.child.kill('SIGTERM');
  const { err } = await run.ended;
  expect(err).toContain(`x  failed  ${shown}`);
  expect(err).not.toContain('hunter2');
});
