import { describe, expect, onTestFinished, test } from 'vitest';
import { serviceFolder } from '../life/service.fixture.js';
import { type ConfigRequest, loadConfig } from './load-config.js';
import { mapNode, plain } from './node.js';
import { formatOrigin } from './place.js';

function folder(files: Record<string, string | object>) {
  const service = serviceFolder(files);
  onTestFinished(() => service[Symbol.dispose]());
  return service;
}

async function load(files: Record<string, string | object>, request: Partial<ConfigRequest> = {}) {
  const { config } = folder(files);
  return loadConfig({
    config,
    environment: undefined,
    variables: {},
    overrides: {},
    slots: ['database', 'telemetry'],
    ...request,
  });
}

async function valuesOf(key: string, ...given: Parameters<typeof load>) {
  const { entries } = await load(...given);
  const entry = entries.find(each => each.key === key);
  return { use: entry?.use, ...(entry && (plain(entry.node) as object)) };
}

async function codesOf(...given: Parameters<typeof load>): Promise<string[]> {
  const findings = await load(...given);
  return findings.problems.map(problem => `${problem.code} ${problem.path ?? ''}`.trim());
}

describe('the layers of a configuration', () => {
  const base = { 'keelson.yaml': { plugins: { database: { use: 'a', url: 'base', pool: { max: 1, min: 1 } } } } };

  test('an overlay is laid over the file, key by key', async () => {
    const files = { ...base, 'keelson.prod.yaml': { plugins: { database: { pool: { max: 9 } } } } };
    expect(await valuesOf('database', files, { environment: 'prod' })).toEqual({
      use: 'a',
      url: 'base',
      pool: { max: 9, min: 1 },
    });
  });

  test('an overlay that changes `use` drops the keys of the implementation that is gone', async () => {
    const files = { ...base, 'keelson.prod.yaml': { plugins: { database: { use: 'b', host: 'db' } } } };
    const { entries } = await load(files, { environment: 'prod' });
    expect(await valuesOf('database', files, { environment: 'prod' })).toEqual({ use: 'b', host: 'db' });
    expect(entries[0]?.replaced?.use).toBe('a');
  });

  test('an overlay that repeats the same `use` keeps the other keys', async () => {
    const files = { ...base, 'keelson.prod.yaml': { plugins: { database: { use: 'a', url: 'over' } } } };
    expect(await valuesOf('database', files, { environment: 'prod' })).toMatchObject({ url: 'over', pool: { max: 1 } });
  });

  test('a variable is laid over the files, and code over the variables', async () => {
    const variables = { KEELSON_DATABASE__URL: 'variable', KEELSON_DATABASE__POOL__MAX: '5' };
    expect(await valuesOf('database', base, { variables })).toMatchObject({
      url: 'variable',
      pool: { max: '5', min: 1 },
    });
    const overrides = { plugins: { database: { url: 'code' } } };
    expect(await valuesOf('database', base, { variables, overrides })).toMatchObject({ url: 'code' });
  });

  test('a variable in capitals finds the key in camel case, of the plugin and of its values', async () => {
    const files = { 'keelson.yaml': { plugins: { 'order-book': { use: 'x' }, 'database/reporting': { use: 'y' } } } };
    const variables = { KEELSON_ORDER_BOOK__POOL__ACQUIRE_TIMEOUT_MS: '5', KEELSON_DATABASE_REPORTING__URL: 'u' };
    expect(await valuesOf('order-book', files, { variables })).toEqual({ use: 'x', pool: { acquireTimeoutMs: '5' } });
    expect(await valuesOf('database/reporting', files, { variables })).toEqual({ use: 'y', url: 'u' });
  });

  test('a variable may fill a slot that no file names', async () => {
    const variables = { KEELSON_TELEMETRY__USE: '@acme/telemetry' };
    expect(await valuesOf('telemetry', base, { variables })).toEqual({ use: '@acme/telemetry' });
  });

  test('a named environment without its file is a problem, no environment is none', async () => {
    expect(await codesOf(base, { environment: 'prod' })).toEqual(['CONFIG_ENVIRONMENT_UNKNOWN']);
    expect(await codesOf(base)).toEqual([]);
  });

  test('a file that cannot be read is a problem', async () => {
    const { directory } = folder({});
    expect(await codesOf({}, { config: directory })).toEqual(['CONFIG_FILE_UNREADABLE']);
  });

  test('a missing file is a problem', async () => {
    expect(await codesOf({}, { config: '/nowhere/keelson.yaml' })).toEqual(['CONFIG_FILE_MISSING']);
  });

  test('every value knows the file, line and column, or the variable, it comes from', async () => {
    const yaml = 'plugins:\n  database:\n    use: "a"\n    url: one\n';
    const { entries } = await load({ 'keelson.yaml': yaml }, { variables: { KEELSON_DATABASE__POOL__MAX: '5' } });
    const node = entries[0]?.node;
    const origins = [...(node?.entries ?? [])].map(([key, entry]) => `${key} ${formatOrigin(entry.node.origin)}`);
    expect(origins[0]).toMatch(/^url .*keelson\.yaml:4:10$/);
    expect(origins[1]).toBe('pool variable KEELSON_DATABASE__POOL__MAX');
  });

  test('a module is read as well, and its places name the file', async () => {
    const source = "export default { plugins: { database: { use: 'a' as string, url: '$' + '{URL}' } } };";
    const { path } = folder({ 'keelson.config.ts': source });
    const { entries } = await load({}, { config: path('keelson.config.ts'), variables: { URL: 'set' } });
    expect(plain(entries[0]?.node ?? mapNode({ from: 'code' }))).toEqual({ url: 'set' });
    expect(entries[0] && formatOrigin(entries[0].origin)).toMatch(/keelson\.config\.ts$/);
    const broken = folder({ 'keelson.config.ts': 'export default 7;', 'keelson.bad.ts': 'throw new Error("no")' });
    expect(await codesOf({}, { config: broken.path('keelson.config.ts') })).toEqual(['CONFIG_SYNTAX']);
    expect(await codesOf({}, { config: broken.path('keelson.bad.ts') })).toEqual(['CONFIG_SYNTAX']);
  });

  test('that is the working directory is named', async () => {
    const findings = await load({}, { config: '.' });
    expect(findings.problems).toMatchObject([
      { code: 'CONFIG_FILE_UNREADABLE', message: 'The file . cannot be read (EISDIR).' },
    ]);
  });

  test('in invalid JSON is reported as invalid JSON', async () => {
    const broken = folder({ 'keelson.json': '{ "plugins": { ' });
    const findings = await load({}, { config: broken.path('keelson.json') });
    expect(findings.problems[0]?.message).toMatch(/^The file is not valid JSON: /);
  });

  test('JSON is read as well', async () => {
    const { config } = folder({ 'keelson.json': { plugins: { database: { use: 'a', url: 'json' } } } });
    const { entries } = await load({}, { config: config.replace('.yaml', '.json') });
    expect(entries[0]?.use).toBe('a');
  });
});

describe('a reference in a value', () => {
  const url = (text: string) => ({ 'keelson.yaml': { plugins: { database: { use: 'a', url: text } } } });

  test('is the variable, or its default when it is not set or empty', async () => {
    expect(await valuesOf('database', url(`\${URL}`), { variables: { URL: 'set' } })).toMatchObject({ url: 'set' });
    expect(await valuesOf('database', url(`a-\${URL:-b:-c}-d`))).toMatchObject({ url: 'a-b:-c-d' });
    expect(await valuesOf('database', url(`\${URL:-fallback}`), { variables: { URL: '' } })).toMatchObject({
      url: 'fallback',
    });
    expect(await valuesOf('database', url(`\${URL:-}`))).toMatchObject({ url: '' });
  });

  test('of a file is its contents without the last line break, and a secret', async () => {
    const { entries } = await load({ ...url(`\${file:secrets/url}`), 'secrets/url': 'hunter2\n' });
    expect(entries[0]?.node.entries.get('url')?.node).toMatchObject({ value: 'hunter2', secret: true });
  });

  test('is written with two dollar signs to mean itself', async () => {
    expect(await valuesOf('database', url(`a$\${b}`))).toMatchObject({ url: `a\${b}` });
  });

  test('that cannot be filled in is reported with its place', async () => {
    expect(await codesOf(url(`\${URL}`))).toEqual(['CONFIG_VARIABLE_MISSING plugins.database.url']);
    expect(await codesOf(url(`\${URL}`), { variables: { URL: '' } })).toEqual([
      'CONFIG_VARIABLE_MISSING plugins.database.url',
    ]);
    expect(await codesOf(url(`\${file:nowhere}`))).toEqual(['CONFIG_FILE_UNREADABLE plugins.database.url']);
    expect(await codesOf(url(`\${URL`))).toEqual(['CONFIG_REFERENCE_INVALID plugins.database.url']);
    expect(await codesOf(url(`\${a b}`))).toEqual(['CONFIG_REFERENCE_INVALID plugins.database.url']);
  });

  test('that only .env fills in is reported with the command that reads it', async () => {
    const { problems } = await load({ ...url(`\${URL}`), '.env': 'URL=hunter2' });
    expect(problems).toMatchObject([
      { action: expect.stringMatching(/^Export URL: it is in \.env, .* `keelson dev` /) },
    ]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
    const other = await load({ ...url(`\${URL}`), '.env': 'OTHER=1' });
    expect(other.problems).toMatchObject([{ action: expect.stringMatching(/^Set URL/) }]);
  });

  test('is not looked at in a value that a higher layer replaced, nor in a value that came from a variable', async () => {
    const files = { ...url(`\${MISSING}`), 'keelson.prod.yaml': { plugins: { database: { url: 'x' } } } };
    expect(await codesOf(files, { environment: 'prod' })).toEqual([]);
    const variables = { KEELSON_DATABASE__URL: `p\${a}` };
    expect(await valuesOf('database', url(`\${MISSING}`), { variables })).toMatchObject({ url: `p\${a}` });
  });

  test.each([`\${file:/run/secrets/url}`, `\${DATABASE_URL}`, `postgresql://u:\${PASSWORD:-x}@db/orders`])(
    'is taken as it stands from a variable, and warned of: %s',
    async value => {
      const variables = { KEELSON_DATABASE__URL: value };
      const { warnings } = await load(url('x'), { variables });
      expect(warnings).toMatchObject([
        { code: 'CONFIG_REFERENCE_INVALID', origin: { from: 'variable', name: 'KEELSON_DATABASE__URL' } },
      ]);
      expect(JSON.stringify(warnings)).not.toContain(value);
    },
  );

  test('is not seen in a variable that has a dollar and a brace, or a literal one', async () => {
    for (const value of ['a$b{c}', '$' + '{', '$$' + '{LITERAL}', '{a}']) {
      const { warnings } = await load(url('x'), { variables: { KEELSON_DATABASE__URL: value } });
      expect(warnings).toEqual([]);
    }
  });
});

describe('a setting of the kernel', () => {
  test('such as the name of the service says what it may be', async () => {
    const findings = await load({ 'keelson.yaml': { service: 'My Orders' } });
    expect(findings.problems).toMatchObject([
      {
        path: 'service',
        value: '"My Orders"',
        allowed: 'letters, digits, dots, dashes and underscores, beginning with a letter or digit',
      },
    ]);
    expect(await codesOf({ 'keelson.yaml': { service: 'My-Orders_2.x' } })).toEqual([]);
  });

  test('that is filled in from a variable names the variable when it is wrong, and only then', async () => {
    const files = { 'keelson.yaml': `startup: { timeoutMs: "\${WAIT:-soon}" }` };
    const wrong = await load(files, { variables: { WAIT: 'later' } });
    expect(wrong.problems[0]?.message).toBe('startup.timeoutMs cannot be "later". It comes from the variable WAIT.');
    expect((await load(files)).problems[0]?.message).toBe('startup.timeoutMs cannot be "soon".');
  });

  test('that leaves a stop no time for work is warned of', async () => {
    const warned = async (shutdown: object) => (await load({ 'keelson.yaml': { shutdown } })).warnings;
    expect(await warned({ noticeMs: '5s', budgetMs: '100ms' })).toMatchObject([
      { code: 'CONFIG_BUDGET_SHORT', path: 'shutdown.budgetMs', origin: { from: 'file' } },
    ]);
    expect(await warned({ noticeMs: '23s' })).toMatchObject([{ code: 'CONFIG_BUDGET_SHORT' }]);
    expect(await warned({ noticeMs: '5s' })).toEqual([]);
  });
});

describe('a file that is wrong', () => {
  test('names a key that stands twice, and a second document', async () => {
    const twice = await load({ 'keelson.yaml': 'plugins:\n  a: { use: x }\n  a: { use: y }\n' });
    expect(twice.problems[0]?.message).toBe('The key a appears twice in one map.');
    const two = await load({ 'keelson.yaml': 'service: a\n---\nservice: b\n' });
    expect(two.problems).toMatchObject([
      { code: 'CONFIG_SYNTAX', message: 'The file holds more than one document; `---` begins the second.' },
    ]);
  });

  test('or is not read because another one is, is warned of', async () => {
    const files = {
      'keelson.yaml': { service: 'a' },
      'keelson.yml': { service: 'b' },
      'keelson.json': { service: 'c' },
      'keelson.production.yml': { service: 'd' },
      'keelson.staging.yaml': { service: 'e' },
      'keelson.schema.json': {},
    };
    const findings = await load(files);
    expect(findings.warnings.map(({ code, message }) => `${code} ${message.split(' is ')[0]}`)).toEqual([
      'CONFIG_FILE_IGNORED The file keelson.json',
      'CONFIG_FILE_IGNORED The file keelson.production.yml',
      'CONFIG_FILE_IGNORED The file keelson.yml',
    ]);
    const { 'keelson.yaml': base, 'keelson.staging.yaml': overlay } = files;
    expect((await load({ 'keelson.yaml': base, 'keelson.staging.yaml': overlay })).warnings).toEqual([]);
  });

  test('every fault of the YAML is reported with line, column and hint', async () => {
    const findings = await load({ 'keelson.yaml': 'plugins:\n  a: { use: @scope/x }\n  b: 1\n  b: 2\n' });
    expect(
      findings.problems.map(({ code, origin, action }) => [
        code,
        origin && formatOrigin(origin).replace(/.*\//, ''),
        action,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['CONFIG_SYNTAX', 'keelson.yaml:2:13', 'Put the value in quotes: "@scope/name".'],
        ['CONFIG_SYNTAX', 'keelson.yaml:4:3', 'Keep one of the two.'],
      ]),
    );
  });

  test('the report of a YAML fault shows no part of a value', async () => {
    for (const text of [
      'a: {b: c} hunter2',
      'plugins: [a, "hunter2" "hunter2"]',
      'a: "x" hunter2: 1',
      '- hunter2\nb: 1',
    ]) {
      const findings = await load({ 'keelson.yaml': text });
      expect(findings.problems.length).toBeGreaterThan(0);
      expect(JSON.stringify(findings.problems)).not.toContain('hunter2');
    }
  });

  test('an unknown key at the top, a plugin without `use`, and a plugin that is not a map are reported together', async () => {
    const files = { 'keelson.yaml': { servce: 'x', plugins: { a: { sue: 'b' }, c: 'd', 'e f': { use: 'g' } } } };
    expect(await codesOf(files)).toEqual([
      'CONFIG_KEY_UNKNOWN servce',
      'CONFIG_VALUE_MISSING plugins.a.use',
      'CONFIG_VALUE_INVALID plugins.c',
      'CONFIG_KEY_INVALID plugins.e f',
    ]);
  });

  test('a variable that sets nothing is reported with the nearest name', async () => {
    const findings = await load(
      { 'keelson.yaml': { plugins: { database: { use: 'a' } } } },
      { variables: { KEELSON_DATABSE__URL: 'x', KEELSON_ENV: '', KEELSON_PORT: '1' } },
    );
    expect(findings.problems).toMatchObject([{ code: 'CONFIG_VARIABLE_UNKNOWN', nearest: 'KEELSON_DATABASE__' }]);
  });

  test('an alias that unfolds without end is refused', async () => {
    const findings = await load({ 'keelson.yaml': 'plugins: &p\n  a: *p\n' });
    expect(findings.problems.map(problem => problem.code)).toEqual(['CONFIG_SYNTAX']);
  });

  test.each(['', '# nothing\n', '---\n', '{}', '[]', 'null\n'])('that holds no keys (%j) is refused', async text => {
    const findings = await load({ 'keelson.yaml': text });
    expect(findings.problems).toMatchObject([{ code: 'CONFIG_SYNTAX', message: 'The file holds no keys.' }]);
  });

  test('but an overlay may hold none, with a warning', async () => {
    const files = { 'keelson.yaml': { plugins: { database: { use: 'a' } } }, 'keelson.prod.yaml': '# later\n' };
    const findings = await load(files, { environment: 'prod' });
    expect(findings.problems).toEqual([]);
    expect(findings.warnings).toMatchObject([{ code: 'CONFIG_SYNTAX', origin: { from: 'file' } }]);
  });
});

describe('an environment', () => {
  const files = {
    'keelson.yaml': { plugins: { database: { use: 'a' } } },
    'keelson.production.yaml': { service: 'x' },
    'keelson.staging.yaml': { service: 'x' },
  };

  test('has a file of its own: those that do are known', async () => {
    expect((await load(files)).environments).toEqual(['production', 'staging']);
  });

  test.each([
    ['prodution', 'production'],
    ['prod', 'production'],
    ['stagign', 'staging'],
  ])('called %s was meant to be %s', async (environment, meant) => {
    const findings = await load(files, { environment });
    expect(findings.problems).toMatchObject([
      { code: 'CONFIG_ENVIRONMENT_UNKNOWN', allowed: 'production, staging', nearest: meant },
    ]);
  });
});

describe('a variable that is nearly one of ours', () => {
  async function warnings(variables: Record<string, string>) {
    const findings = await load(
      { 'keelson.yaml': { plugins: { database: { use: 'a' }, mail: { use: 'b' } } } },
      { variables },
    );
    return findings.warnings.map(({ code, nearest }) => [code, nearest]);
  }

  test.each([
    ['KEELSON_ENVIRONMENT', 'KEELSON_ENV'],
    ['KEELSON_EVN', 'KEELSON_ENV'],
    ['KELSON_ENV', 'KEELSON_ENV'],
    ['KEELSON_DATABASE_URL', 'KEELSON_DATABASE__URL'],
    ['KEELSON_MAIL_BATCH_SIZE', 'KEELSON_MAIL__BATCH_SIZE'],
    ['KEELSON_TELEMETRY_USE', 'KEELSON_TELEMETRY__USE'],
    ['KEELSON_SHUTDOWN_NOTICE_MS', 'KEELSON_SHUTDOWN__NOTICE_MS'],
  ])('%s is not read: a warning names %s', async (name, meant) => {
    expect(await warnings({ [name]: 'production' })).toEqual([['CONFIG_VARIABLE_UNKNOWN', meant]]);
  });

  test('is distinguished from the variables of others', async () => {
    const others = {
      KEELSON_ENV: 'x',
      KEELSON_PORT: '1',
      KEELSON_HOME: '/',
      KEELSON_SERVICE_NAME: 'x',
      NODE_ENV: 'x',
      PATH: '/',
    };
    const kubernetes = { KEELSON_DATABASE_PORT: 'tcp://10.0.0.1:80', KEELSON_DATABASE_SERVICE_HOST: '10.0.0.1' };
    expect(await warnings({ ...others, ...kubernetes })).toEqual([]);
  });

  test('is reported for settings of the kernel, too', async () => {
    const findings = await load(
      { 'keelson.yaml': { plugins: { mail: { use: 'b' } } } },
      { variables: { KEELSON_SHUTDWN__NOTICE_MS: '1' } },
    );
    expect(findings.problems).toMatchObject([
      {
        nearest: 'KEELSON_SHUTDOWN__',
        allowed: 'KEELSON_MAIL__, KEELSON_STARTUP__, KEELSON_SHUTDOWN__, KEELSON_CONTROL__',
      },
    ]);
  });
});
