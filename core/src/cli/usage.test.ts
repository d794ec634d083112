import { describe, expect, test } from 'vitest';
import { serviceFolder } from '../life/service.fixture.js';
import { keelson } from './keelson.fixture.js';
import { runKeelson } from './run-keelson.js';

const files = {
  'keelson.yaml': {
    service: 'shop',
    plugins: { database: { use: './database.js', max: 4, hosts: ['a', 'b'], pin: 'Hidden-4711' } },
  },
  'database.js': `
    import { z } from 'zod';
    const token = Symbol.for('@keelson/database/DatabaseService');
    const config = z.object({ max: z.int(), hosts: z.array(z.string()), pin: z.string().meta({ secret: true }), name: z.string().optional() });
    const commands = [{ name: 'up', summary: '', usage: '', run: async () => {} }];
    export default { name: 'store', slot: 'database', provides: [token], config, register({ bind }) {
      bind(token).toConstantValue({});
      bind(Symbol.for('@keelson/core/MigrateCommands')).toConstantValue(commands);
    } };`,
};
const names = 'start status reload do run check explain graph doctor schema migrate verify new completion'.split(' ');

/** The command line in this process, for what needs no folder. */
async function told(...words: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runKeelson(words, { variables: {}, out: text => out.push(text), err: text => err.push(text) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('a command line that is wrong', () => {
  test.each([
    [['strat'], 'CLI_COMMAND_UNKNOWN', 'Command strat does not exist. Did you mean start?'],
    [['help', 'chekc'], 'CLI_COMMAND_UNKNOWN', 'Command chekc does not exist. Did you mean check?'],
    ...names.map(name => [[name, '--nope'], 'CLI_USAGE_INVALID', 'Option --nope does not exist.'] as const),
    [['check', 'words'], 'CLI_USAGE_INVALID', 'keelson check does not take words.'],
    [['check', '--config'], 'CLI_USAGE_INVALID', '--config'],
    [['new'], 'CLI_USAGE_INVALID', 'keelson new needs plugin.'],
    [['completion'], 'CLI_USAGE_INVALID', 'keelson completion needs bash, zsh, or fish.'],
    [['new', 'service', 'a'], 'CLI_USAGE_INVALID', 'keelson new takes plugin, and got service.'],
    [['new', 'plugin'], 'CLI_USAGE_INVALID', 'keelson new needs <name>.'],
    [['new', 'plugin', 'a', 'b', 'c'], 'CLI_USAGE_INVALID', 'keelson new does not take b, c.'],
    [['new', 'plugin', 'A B'], 'CLI_NAME_INVALID', '"A B"'],
    [['explain', 'a', 'b'], 'CLI_USAGE_INVALID', 'keelson explain does not take b.'],
    [['verify'], 'CLI_USAGE_INVALID', 'keelson verify needs <plugin>.'],
    [['verify', 'a', 'b'], 'CLI_USAGE_INVALID', 'keelson verify does not take b.'],
  ] as const)('%j: exit code 2, and the reason as JSON too', async (words, code, message) => {
    const plain = await told(...words);
    expect(plain).toMatchObject({ code: 2, out: '' });
    expect(plain.err).toContain(message);
    if (words.at(-1) === '--config') return;
    const json = await told(...words, '--json');
    expect(json).toMatchObject({ code: 2, err: plain.err });
    expect(JSON.parse(json.out).error).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('for a database, or for an unknown key, is reported the same way', async () => {
    const sideways = await keelson(files, ['migrate', 'sideways', '--json']).ended;
    expect(sideways.code).toBe(2);
    expect(JSON.parse(sideways.out).error).toMatchObject({ code: 'CLI_COMMAND_UNKNOWN', hint: 'Use one of: up.' });
    const nowhere = await keelson(files, ['explain', 'database.mx', '--json']).ended;
    expect(nowhere.code).toBe(2);
    expect(JSON.parse(nowhere.out).error.message).toBe(
      'There is no plugin or value database.mx. Did you mean database.max?',
    );
  });
});

describe('the help', () => {
  test.each(names)('of %s fits into 80 columns and names its exit codes', async name => {
    const { code, out } = await told(name, '--help');
    expect(code).toBe(0);
    expect(out.split('\n').filter(line => line.length > 80)).toEqual([]);
    expect(out).toMatch(/Exit codes:\s0\s[\s\S]*\b1\s[\s\S]*\b2\s/);
    expect((await told('help', name)).out).toBe(out);
  });

  test('is what the command declares: its words, its options and their defaults', async () => {
    const operate = await told('do', '--help');
    expect(operate.out).toMatch(
      /^Usage: keelson do \[<plugin> \[<operation> \[<argument>\.\.\.\]\]\] \[--pid <pid>\]\s+\[--config <file>\]\s/,
    );
    expect(operate.out).toMatch(/^ {2}<plugin> +the key of a plugin/m);
    expect(operate.out).toMatch(/^ {2}-p, --pid <pid> +reach this instance alone/m);
    const doctor = await told('doctor', '--help');
    expect(doctor.out).toMatch(/--connect-timeout-ms <ms> {2}wait [\s\S]*?\(default:\s+5000\)/);
    const verify = await told('verify');
    expect(verify.err).toMatch(/\n\nUsage: keelson verify <plugin> \[--set <key=value>\]\.\.\. \[--values <json>\]\s/);
  });

  test('of all fits as well', async () => {
    expect((await told('help')).out.split('\n').filter(line => line.length > 80)).toEqual([]);
  });
});

test('a program runs a command in its own process, and gets no secret', async () => {
  const { runKeelson, exitCodes } = await import('@keelson/core/cli');
  using service = serviceFolder({
    'keelson.yaml': { plugins: { mail: { use: './mail.js' } } },
    'mail.js': `import { z } from 'zod';
      export default { name: 'mail', config: z.object({ url: z.string().default('smtp://me:hunter2@mail/x') }) };`,
  });
  const out: string[] = [];
  const terminal = { variables: {}, out: (text: string) => void out.push(text), err: () => {} };
  expect(await runKeelson(['schema', '--config', service.config], terminal)).toBe(exitCodes.clean);
  expect(out.join('\n')).toContain('smtp://[masked]@mail/x');
  expect(out.join('\n')).not.toContain('hunter2');
});

describe('explain --json', () => {
  test('has values as they are, and secrets masked', async () => {
    const { code, out } = await keelson(files, ['explain', 'database', '--json'], { KEELSON_DATABASE__MAX: '9' }).ended;
    expect(code).toBe(0);
    const { valid, problems, groups } = JSON.parse(out);
    expect({ valid, problems }).toEqual({ valid: true, problems: [] });
    const values = Object.fromEntries(groups[0].values.map((each: { path: string }) => [each.path, each]));
    expect(values['database.max']).toMatchObject({ value: 9, over: [{ value: 4 }] });
    expect(values['database.hosts']).toMatchObject({ value: ['a', 'b'] });
    expect(values['database.pin']).toMatchObject({ value: '[masked]' });
    expect(values['database.name']).not.toHaveProperty('value');
  });

  test('of a configuration that does not hold carries the problems', async () => {
    const broken = { ...files, 'keelson.yaml': 'plugins: { database: { use: ./database.js, mx: 3 } }' };
    const { code, out } = await keelson(broken, ['explain', '--json']).ended;
    expect(code).toBe(1);
    const { valid, problems } = JSON.parse(out);
    expect(valid).toBe(false);
    expect(problems.map((each: { code: string }) => each.code)).toContain('CONFIG_KEY_UNKNOWN');
    expect(JSON.parse((await keelson({}, ['explain', '--json']).ended).out).problems).toMatchObject([
      { code: 'CONFIG_FILE_MISSING' },
    ]);
  });
});

test('explain of a map that nothing is put into says what it is, and what each entry would hold', async () => {
  const policies = {
    'keelson.yaml': 'plugins: { a: { use: ./a.js } }',
    'a.js': `import { z } from 'zod';
      const policy = z.object({ attempts: z.int().default(8) });
      export default { name: 'a', config: z.object({ policies: z.record(z.string(), policy).default({}).describe('By name.') }) };`,
  };
  const { out } = await keelson(policies, ['explain', 'a.policies']).ended;
  expect(out).toContain('a.policies = {}  (default)\n  By name.\n');
  expect(out).toContain('\n  a.policies.<name>.attempts  8  (default)\n');
});

test('explain of a slot that nothing fills says so', async () => {
  const { code, out } = await keelson(files, ['explain', 'metrics']).ended;
  expect([code, out]).toEqual([0, 'metrics: silent metrics  (nothing is configured)\n']);
  expect((await keelson(files, ['explain']).ended).out).not.toContain('metrics');
});

describe('a file that cannot be written', () => {
  test.each([['schema'], ['graph']])('by keelson %s is reported with a hint', async command => {
    const { code, out, err } = await keelson(files, [command, '--out', 'nope/x', '--json']).ended;
    expect(code).toBe(1);
    expect(err).toContain('CLI_OUTPUT_UNWRITABLE  The file nope/x cannot be written (ENOENT).');
    expect(err).toContain('-> Create the folder nope first: mkdir -p nope');
    expect(err).not.toMatch(/^\s+at /m);
    expect(JSON.parse(out).error.code).toBe('CLI_OUTPUT_UNWRITABLE');
    expect((await keelson(files, [command, '--out', '.']).ended).err).toContain('It is a folder; name a file in it.');
  });
});

describe('keelson schema', () => {
  test('of a configuration that cannot be read exits with 1 and writes nothing', async () => {
    const { code, out, err } = await keelson(files, ['schema', '--config', 'nope.yaml']).ended;
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('CONFIG_FILE_MISSING');
    const json = await keelson({ 'keelson.yaml': 'a: [' }, ['schema', '--json']).ended;
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out).error.problems).toMatchObject([{ code: 'CONFIG_SYNTAX' }]);
  });

  test('names a plugin that it has to leave out, and writes the rest', async () => {
    const gone = { 'keelson.yaml': 'plugins: { a: { use: ./gone.js } }' };
    const { code, out, err } = await keelson(gone, ['schema']).ended;
    expect(code).toBe(0);
    expect(err).toContain('left out: keelson.yaml:1:22  PLUGIN_FILE_MISSING');
    expect(JSON.parse(out).properties).toHaveProperty('plugins');
  });
});

describe('keelson graph', () => {
  test('of a configuration that cannot be read draws nothing and says why', async () => {
    const { code, out, err } = await keelson({}, ['graph']).ended;
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('CONFIG_FILE_MISSING');
  });

  test('says what its lines mean', async () => {
    expect((await keelson(files, ['graph']).ended).out).toContain('%% solid line: needs');
  });
});

test('check --json names the service that is written, and none where none is', async () => {
  const nameOf = async (text: string) =>
    JSON.parse((await keelson({ 'keelson.yaml': text }, ['check', '--json']).ended).out).service;
  expect(await nameOf('service: shop\nshutdown: { drainMs: x }')).toBe('shop');
  expect(await nameOf('a: [')).toBeUndefined();
  expect(await nameOf('plugins: {}')).toBe('service');
});
