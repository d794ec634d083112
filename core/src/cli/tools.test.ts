import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { packageFiles, type ServiceFolder } from '../life/service.fixture.js';
import { keelson } from './keelson.fixture.js';

const service = {
  'keelson.yaml': `service: shop
plugins:
  database: { use: "@acme/small", dataDir: ".data" }
  orders: { use: "./orders.js", pool: { max: 4 } }
`,
  'keelson.production.yaml': `plugins:
  database: { use: "@acme/large", url: "\${DATABASE_URL}" }
`,
  'orders.js': `
    import { z } from 'zod';
    export default {
      name: 'orders',
      requires: [Symbol.for('@keelson/database/DatabaseService')],
      config: z.object({ pool: z.object({ max: z.int().max(100).default(10).describe('Most at once.') }).prefault({}) }),
      start() { console.log('orders started'); },
    };`,
  ...packageFiles(
    '@acme/small',
    `import { z } from 'zod';
     const token = Symbol.for('@keelson/database/DatabaseService');
     export default {
       name: 'small', slot: 'database', diagnoses: true, provides: [token], config: z.object({ dataDir: z.string() }),
       register({ bind }) {
         bind(token).toConstantValue({});
         const run = async ({ words, out }) => out(['applied 001_orders', ...words].join(' '));
         bind(Symbol.for('@keelson/core/MigrateCommands')).toConstantValue([{ name: 'up', summary: '', usage: '', run }]);
       },
       start: () => ({
         async diagnose() { return [
           { name: 'clock skew', status: 'pass', output: 'The clocks are 3 ms apart.' },
           { name: 'pool', status: 'warn', output: 'The pool may take all connections.', hint: 'Lower pool.max.' },
         ]; },
         stop() { console.log('database stopped'); },
       }),
     };`,
  ),
  ...packageFiles(
    '@acme/large',
    `import { z } from 'zod';
     const token = Symbol.for('@keelson/database/DatabaseService');
     export default { name: 'large', slot: 'database', provides: [token],
       config: z.object({ url: z.string().meta({ secret: true }).describe('Where it is.') }),
       register({ bind }) { bind(token).toConstantValue({}); } };`,
  ),
};

describe('keelson explain', () => {
  test('says which values are in force, where each comes from and what it took the place of, without secrets', async () => {
    const variables = {
      KEELSON_ENV: 'production',
      DATABASE_URL: 'postgresql://me:hunter2@db/x',
      KEELSON_ORDERS__POOL__MAX: '9',
    };
    const { code, out } = await keelson(service, ['explain'], variables).ended;
    expect(code).toBe(0);
    expect(out).toContain(
      'database: @acme/large 1.2.3  (keelson.production.yaml:2:20, instead of @acme/small from keelson.yaml:3:20)',
    );
    expect(out).toContain(`database.url  [masked]  (keelson.production.yaml:2:40 \${DATABASE_URL})`);
    expect(out).toContain('orders.pool.max  9  (variable KEELSON_ORDERS__POOL__MAX, over 4 from keelson.yaml:4:46)');
    expect(out).not.toContain('hunter2');
  });

  test('names the environments there are when none is chosen, as check does', async () => {
    const { out } = await keelson(service, ['explain']).ended;
    expect(out).toMatch(/^shop \(no environment chosen; available: production\)\n\nkernel\n/);
    const chosen = await keelson(service, ['explain'], { KEELSON_ENV: 'production', DATABASE_URL: 'x' }).ended;
    expect(chosen.out).toMatch(/^shop \(production\)\n\nkernel\n/);
    const check = await keelson(service, ['check'], { KEELSON_ENVIRONMENT: 'production' }).ended;
    expect(check.out).toMatch(
      /^shop \(no environment chosen; available: production\): the plan is valid\nread from keelson\.yaml\n\n/,
    );
    expect(check.out).toContain('  2. orders  ./orders.js  after database');
    expect(check.err).toContain('warning: variable KEELSON_ENVIRONMENT  CONFIG_VARIABLE_UNKNOWN');
    expect(check.err).toContain('-> Write KEELSON_ENV, or unset it.');
  });

  test('says everything about one key', async () => {
    const { out } = await keelson(service, ['explain', 'orders.pool.max']).ended;
    expect(out).toBe(
      [
        'orders.pool.max = 4  (keelson.yaml:4:46)',
        '  Most at once.',
        '  Allowed: a whole number of at most 100.',
        '  Variable: KEELSON_ORDERS__POOL__MAX',
        '  A change needs a restart.',
        '',
      ].join('\n'),
    );
  });

  test('names the nearest key for an unknown key', async () => {
    const { code, err } = await keelson(service, ['explain', 'orders.pool.mxa']).ended;
    expect(code).toBe(2);
    expect(err).toContain('Did you mean orders.pool.max?');
  });
});

describe('keelson schema', () => {
  test('knows the keys of every plugin that an environment chooses', async () => {
    const { out } = await keelson(service, ['schema']).ended;
    const schema = JSON.parse(out);
    const { database, orders } = schema.properties.plugins.properties;
    expect(orders.properties.pool.properties.max.anyOf[0]).toMatchObject({ type: 'integer', maximum: 100 });
    expect(database.allOf.map((each: { if: object }) => each.if)).toEqual([
      { properties: { use: { const: '@acme/small' } }, required: ['use'] },
      { properties: { use: { const: '@acme/large' } }, required: ['use'] },
    ]);
    expect(schema.properties.shutdown.properties).toHaveProperty('noticeMs');
  });
});

describe('keelson graph', () => {
  test('draws the plan as Mermaid', async () => {
    const mermaid = await keelson(service, ['graph']).ended;
    expect(mermaid.out).toContain('flowchart BT');
    expect(mermaid.out).toMatch(/p1 --> p0/);
  });
});

describe('keelson doctor', () => {
  test('starts the plugins that can examine themselves, prints their findings, and stops them', async () => {
    const { code, out } = await keelson(service, ['doctor']).ended;
    expect(code).toBe(0);
    expect(out).toContain('ok    database: clock skew  The clocks are 3 ms apart.');
    expect(out).toContain('warn  database: pool  The pool may take all connections.\n      -> Lower pool.max.');
    expect(out).toContain('database stopped');
    expect(out).not.toContain('orders started');
  });

  test('starts no server that is merely used, and writes no log lines in between', async () => {
    const files = {
      'keelson.yaml': { plugins: { http: { use: './http.js' }, a: { use: './a.js' }, logger: { use: './gone.js' } } },
      'http.js': `const token = Symbol.for('@keelson/core/HttpServer');
        export default { name: 'http', slot: 'http', provides: [token], register({ bind }) { bind(token).toConstantValue({}); }, start() { throw new Error('port taken'); } };`,
      'a.js': `export default { name: 'a', diagnoses: true, optional: [Symbol.for('@keelson/core/HttpServer')], start: () => ({ diagnose: () => [] }) };`,
    };
    const { code, out } = await keelson(files, ['doctor', '--json']).ended;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject([
      { name: 'Node version' },
      { name: 'running instance', status: 'pass' },
      { plugin: 'a', name: 'start', status: 'pass' },
    ]);
  });

  test('exits with 1 when something does not start, and says what', async () => {
    const broken = {
      'keelson.yaml': { plugins: { a: { use: './a.js' } } },
      'a.js': `export default { name: 'a', diagnoses: true, start() { throw new Error('no answer'); } };`,
    };
    const { code, out } = await keelson(broken, ['doctor']).ended;
    expect(code).toBe(1);
    expect(out).toContain('FAIL  a: start  failed: no answer');
  });
});

describe('keelson migrate', () => {
  test('starts the databases alone, applies what is left and ends', async () => {
    const { code, out } = await keelson(service, ['migrate']).ended;
    expect(code).toBe(0);
    expect(out).toBe('database: applied 001_orders\ndatabase stopped\n');
  });

  test('does what the word says, and names the words it knows', async () => {
    expect((await keelson(service, ['migrate', 'up', '002_lines']).ended).out).toContain(
      'applied 001_orders 002_lines',
    );
    const { code, err } = await keelson(service, ['migrate', 'sideways']).ended;
    expect(code).toBe(2);
    expect(err).toContain('CLI_COMMAND_UNKNOWN');
    expect(err).toContain('Use one of: up.');
  });

  test('prints as JSON the values of the command, or its lines when it returns no values', async () => {
    const lines = await keelson(service, ['migrate', '--json']).ended;
    expect(JSON.parse(lines.out.replace('database stopped\n', ''))).toEqual({ database: ['applied 001_orders'] });
    const told = Object.fromEntries(
      Object.entries(service).map(([name, text]) => [
        name,
        typeof text === 'string' ? text.replace(`.join(' '))`, `.join(' ')) ?? { applied: ['001_orders'] }`) : text,
      ]),
    );
    const values = await keelson(told, ['migrate', '--json']).ended;
    expect(JSON.parse(values.out.replace('database stopped\n', ''))).toEqual({ database: { applied: ['001_orders'] } });
  });

  test('refuses a database that is not configured', async () => {
    const { code, err } = await keelson(service, ['migrate', '--database', 'database/reporting']).ended;
    expect(code).toBe(1);
    expect(err).toContain('CLI_DATABASE_UNKNOWN');
  });
});

describe('keelson new plugin', () => {
  test.each([
    ['a plugin of its own', []],
    ['a logger', ['--slot', 'logger']],
  ])('makes %s that passes its checks as it is', async (_name, slot) => {
    const { folder, ended } = keelson({}, ['new', 'plugin', 'mine', ...slot]);
    expect((await ended).code).toBe(0);
    const { code, out } = await keelson({}, ['verify', folder.path('mine')]).ended;
    expect(out).toContain(' passed');
    expect(out).not.toContain('FAIL');
    expect(code).toBe(0);
  });

  test('says that what the plugin imports must be installed, where it is not', async () => {
    const words = ['new', 'plugin', 'mine'];
    const uninstall = (folder: ServiceFolder) => rmSync(folder.path('node_modules'), { recursive: true });
    expect((await keelson({}, words, {}, uninstall).ended).out).toContain(
      '  install @keelson/core and zod: npm install in mine',
    );
    expect((await keelson({}, words).ended).out).not.toContain('npm install');
  });

  test('refuses a bad name, a folder that is there, and a slot without a template', async () => {
    expect((await keelson({}, ['new', 'plugin', 'My Plugin']).ended).err).toContain('CLI_NAME_INVALID');
    expect((await keelson({ 'a/b': '' }, ['new', 'plugin', 'a']).ended).err).toContain('CLI_FOLDER_TAKEN');
    expect((await keelson({}, ['new', 'plugin', 'a', '--slot', 'x']).ended).err).toContain('no template');
  });
});

describe('keelson verify', () => {
  test('names every case that a plugin fails and exits with 1', async () => {
    const files = {
      'loose.js': `import { z } from 'zod';
        export default { name: 'loose', provides: [Symbol.for('x')], config: z.looseObject({}),
          start: () => ({ stop() { throw new Error('stuck'); } }) };`,
    };
    const { code, out } = await keelson(files, ['verify', './loose.js']).ended;
    expect(code).toBe(1);
    expect(out).toContain('FAIL  refuses a key that it does not know');
    expect(out).toContain('FAIL  binds what it provides, starts, and stops cleanly');
  });

  test('refuses values that are not a JSON object', async () => {
    const files = { 'a.js': `export default { name: 'a' };` };
    expect((await keelson(files, ['verify', './a.js', '--values', '[1]']).ended).err).toContain('CLI_VALUES_INVALID');
    expect((await keelson(files, ['verify', './nope.js']).ended).err).toContain('PLUGIN_NOT_INSTALLED');
  });
});

test('a running service takes reloadable values at SIGHUP and says what needs a restart', async () => {
  const plugin = `import { z } from 'zod';
    export default { name: 'a', config: z.object({ rate: z.int().meta({ reloadable: true }), port: z.int() }),
      start: () => ({ reconfigure({ config }) { console.log('rate', config.rate, 'port', config.port); } }) };`;
  const yaml = (rate: number, port: number) => ({ plugins: { a: { use: './a.js', rate, port } } });
  const run = keelson({ 'keelson.yaml': yaml(1, 1), 'a.js': plugin }, ['start']);
  await run.until('ready in');
  run.folder.write('keelson.yaml', yaml(2, 2));
  run.child.kill('SIGHUP');
  await run.until('rate 2 port 1');
  await run.until('a.port: 1 -> 2  needs a restart');
  run.folder.write('keelson.yaml', 'plugins: {a: {use: ./a.js, rate: many}}');
  run.child.kill('SIGHUP');
  await run.until('CONFIG_VALUE_INVALID');
  run.child.kill('SIGTERM');
  expect((await run.ended).code).toBe(0);
});
