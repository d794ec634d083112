import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { definePlugin, type Plugin } from '../contract/plugin.js';
import { namedService } from '../contract/requirement.js';
import { defineSlot } from '../contract/slot.js';
import { Credentials } from '../contract/slots/credentials.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { Kernel } from '../life/kernel.js';
import type { KernelOptions } from '../life/kernel-options.js';
import { packageFiles, serviceFolder } from '../life/service.fixture.js';

const Book: ServiceToken<object> = serviceToken('test/Book');
const Store: ServiceToken<object> = serviceToken('test/Store');

/** The plan of plugins given in code. */
function planOf(plugins: Record<string, Plugin>, overrides: KernelOptions['overrides'] = {}) {
  return Kernel.plan({ config: {}, plugins, overrides, variables: {} });
}

async function problemsOf(...given: Parameters<typeof planOf>) {
  const { problems } = await planOf(...given);
  return problems.map(problem => problem.code);
}

function service(files: Record<string, string | object>) {
  const folder = serviceFolder(files);
  onTestFinished(() => folder[Symbol.dispose]());
  return folder;
}

const needing = (name: string, token: ServiceToken) => definePlugin({ name, requires: [token] });
const providing = (name: string, ...provides: ServiceToken[]) => definePlugin({ name, provides });

describe('the order of a start', () => {
  test('puts each plugin after what it requires and after what it uses when that is there', async () => {
    const plan = await planOf({
      orders: definePlugin({ name: 'orders', requires: [Book], optional: [Store] }),
      book: providing('book', Book),
      store: definePlugin({ name: 'store', provides: [Store], requires: [Book] }),
    });
    expect(plan.problems).toEqual([]);
    expect(plan.levels.map(level => level.map(plugin => plugin.key))).toEqual([['book'], ['store'], ['orders']]);
    expect([...(plan.plugins[2]?.needs ?? [])]).toEqual([
      ['store', 'uses test/Store'],
      ['book', 'requires test/Book'],
    ]);
  });

  test('puts everyone after the logger and the telemetry, but those that these two need', async () => {
    const plan = await planOf({
      orders: definePlugin({ name: 'orders' }),
      logger: definePlugin({ name: 'log', slot: 'logger', provides: [Logger], requires: [Store] }),
      store: providing('store', Store),
      telemetry: definePlugin({ name: 'trace', slot: 'telemetry', provides: [Telemetry] }),
    });
    expect(plan.levels.map(level => level.map(plugin => plugin.key))).toEqual([
      ['store'],
      ['logger'],
      ['telemetry'],
      ['orders'],
    ]);
  });

  test('with a cycle is refused, and the whole cycle named with its reasons', async () => {
    const { problems } = await planOf({
      a: definePlugin({ name: 'a', provides: [Book], requires: [Store] }),
      b: definePlugin({ name: 'b', provides: [Store], optional: [Book] }),
    });
    expect(problems).toMatchObject([
      {
        code: 'PLAN_CYCLE',
        message: 'Plugins need each other: a -> b -> a; a requires test/Store (b); b uses test/Book (a).',
      },
    ]);
    expect(problems[0]?.allowed).toBe(
      'requirements without a cycle, so that each plugin can start after the plugins that it needs',
    );
  });
});

test('an environment without a name is none', async () => {
  const plugins = { a: definePlugin({ name: 'a' }) };
  for (const given of [{ environment: '', variables: {} }, { variables: { KEELSON_ENV: '' } }]) {
    expect(await Kernel.plan({ config: {}, plugins, ...given })).toMatchObject({
      problems: [],
      environment: undefined,
    });
  }
});

describe('a plan is refused when', () => {
  test('a plugin requires what it provides itself', async () => {
    const self = definePlugin({ name: 'a', provides: [Book], requires: [Book] });
    expect((await planOf({ a: self })).problems).toMatchObject([
      { code: 'PLAN_CYCLE', message: expect.stringContaining('Plugins need each other: a -> a;') },
    ]);
  });

  test('a requirement is met by no plugin', async () => {
    expect(await problemsOf({ orders: needing('orders', Book) })).toEqual(['PLAN_REQUIREMENT_MISSING']);
  });

  test('but not when a silent default or the kernel meets it', async () => {
    expect(await problemsOf({ orders: needing('orders', Logger) })).toEqual([]);
  });

  test('only a further instance meets a requirement of the plain service', async () => {
    const database = serviceToken('@keelson/database/DatabaseService');
    const reporting = definePlugin({ name: 'db', slot: 'database', provides: [database] });
    expect(await problemsOf({ 'database/reporting': reporting, orders: needing('orders', database) })).toEqual([
      'PLAN_REQUIREMENT_MISSING',
    ]);
  });

  test('a further instance is required that is not there', async () => {
    const database = serviceToken('@keelson/database/DatabaseService');
    const plugin = definePlugin({ name: 'db', slot: 'database', provides: [database] });
    const orders = definePlugin({ name: 'orders', requires: [namedService(database, 'reporting')] });
    const { problems } = await planOf({ database: plugin, orders });
    expect(problems).toMatchObject([
      {
        code: 'PLAN_REQUIREMENT_MISSING',
        message: 'orders requires @keelson/database/DatabaseService (reporting), which no configured plugin provides.',
        action: 'Fill the slot: database/reporting: { use: "<package>" } under plugins.',
      },
    ]);
    const plan = await planOf({ database: plugin, 'database/reporting': plugin, orders });
    expect(plan.problems).toEqual([]);
    expect([...(plan.plugins.find(each => each.key === 'orders')?.needs.keys() ?? [])]).toEqual(['database/reporting']);
  });

  test('a further instance is started after the one of its name in a slot that it may use', async () => {
    const plugin = definePlugin({ name: 'c', slot: 'credentials', provides: [Credentials] });
    const token = serviceToken('@keelson/database/DatabaseService');
    const database = definePlugin({ name: 'd', slot: 'database', provides: [token], optional: [Credentials] });
    const { plugins } = await planOf({
      database,
      'database/reporting': database,
      credentials: plugin,
      'credentials/reporting': plugin,
    });
    const needsOf = (key: string) => [...(plugins.find(each => each.key === key)?.needs.keys() ?? [])];
    expect(needsOf('database')).toEqual(['credentials']);
    expect(needsOf('database/reporting')).toContain('credentials/reporting');
  });

  test('a plugin fills another slot than its key, no slot at all, or a slot without its token', async () => {
    expect(await problemsOf({ logger: definePlugin({ name: 'x', slot: 'retry' }) })).toEqual(['PLAN_SLOT_MISMATCH']);
    expect(await problemsOf({ logger: definePlugin({ name: 'x' }) })).toEqual(['PLAN_SLOT_MISMATCH']);
    expect(await problemsOf({ mine: definePlugin({ name: 'x', slot: 'logger', provides: [Logger] }) })).toEqual([
      'PLAN_SLOT_MISMATCH',
    ]);
    expect(await problemsOf({ logger: definePlugin({ name: 'x', slot: 'logger' }) })).toEqual([
      'PLAN_TOKEN_NOT_PROVIDED',
    ]);
  });

  test('a plugin stands under another slot than its own: the services that it provides there are no further problem', async () => {
    const log = definePlugin({ name: 'x', slot: 'logger', provides: [Logger] });
    expect(await problemsOf({ logger: log, metrics: log })).toEqual(['PLAN_SLOT_MISMATCH']);
  });

  test('the plugin was made for another contract', async () => {
    expect(await problemsOf({ a: definePlugin({ name: 'a', contract: '^9.0.0' }) })).toEqual([
      'PLAN_CONTRACT_MISMATCH',
    ]);
    expect(await problemsOf({ a: definePlugin({ name: 'a', contract: 'yes' }) })).toEqual(['PLAN_CONTRACT_MISMATCH']);
    expect(await problemsOf({ a: definePlugin({ name: 'a', contract: '>=0.1.0' }) })).toEqual([]);
  });

  test('a capability is needed that the implementation of the slot does not have', async () => {
    const needs = definePlugin({ name: 'n', needsCapabilities: { logger: ['flush-on-exit'] } });
    const logger = definePlugin({ name: 'l', slot: 'logger', provides: [Logger], capabilities: ['flush-on-exits'] });
    const { problems } = await planOf({ n: needs, logger });
    expect(problems).toMatchObject([{ code: 'PLAN_CAPABILITY_MISSING', nearest: 'flush-on-exits' }]);
    expect(await problemsOf({ n: needs })).toEqual(['PLAN_CAPABILITY_MISSING']);
  });

  test('two plugins provide the same service', async () => {
    expect(await problemsOf({ a: providing('a', Book), b: providing('b', Book) })).toEqual(['PLAN_PROVIDER_DUPLICATE']);
  });

  test('an optional plugin that has no silent default is required', async () => {
    const plugins = { book: providing('book', Book), orders: needing('orders', Book) };
    const optional = { plugins: { book: { optional: true } } };
    expect(await problemsOf(plugins, optional)).toEqual(['PLAN_REQUIREMENT_OPTIONAL']);
    const both = { plugins: { book: { optional: true }, orders: { optional: true } } };
    expect(await problemsOf(plugins, both)).toEqual([]);
  });

  test('a plugin is malformed, with everything that is wrong with it', async () => {
    const broken = { name: '', start: 1, requires: [undefined], config: z.object({ use: z.string() }) };
    const { problems } = await planOf({ a: broken as unknown as Plugin });
    expect(problems.map(problem => problem.code)).toEqual(['PLUGIN_INVALID']);
    for (const fault of ['no name', 'start is not a function', 'circular import', 'key use']) {
      expect(problems[0]?.message).toContain(fault);
    }
  });

  test('a requirement is met by no plugin that could be read, and who else might meet it is named', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { book: { use: './book.js' }, orders: { use: './orders.js' } } },
      'book.js': 'export default nonsense;',
      'orders.js': `export default { name: 'orders', requires: [Symbol.for('test/Book')] };`,
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems.map(({ code, message }) => [code, message])).toEqual([
      ['PLUGIN_IMPORT_FAILED', expect.any(String)],
      [
        'PLAN_REQUIREMENT_MISSING',
        'orders requires test/Book, which no configured plugin provides, unless ./book.js does.',
      ],
    ]);
  });

  test('but not of a slot whose own plugin could not be read', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { database: { use: './gone.js' }, orders: { use: './orders.js' } } },
      'orders.js': `export default { name: 'orders', requires: [Symbol.for('@keelson/database/DatabaseService')] };`,
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems.map(problem => problem.code)).toEqual(['PLUGIN_FILE_MISSING']);
  });

  test('a requirement is missing that an installed package would meet: it is named', async () => {
    const provider = (token: string) => `export default { name: 'x', provides: [Symbol.for('${token}')] };`;
    const database = provider('@keelson/database/DatabaseService').replace('{', `{ slot: 'database',`);
    const folder = service({
      'package.json': { name: 'shop', type: 'module', dependencies: { '@acme/book': '1', '@acme/db': '1' } },
      'keelson.yaml': { plugins: { orders: { use: './orders.js' } } },
      'orders.js': `export default { name: 'orders', requires: ['@keelson/database/DatabaseService', 'test/Book'].map(each => Symbol.for(each)) };`,
      ...packageFiles('@acme/book', provider('test/Book'), provider('test/Book')),
      ...packageFiles('@acme/db', database, database),
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([
      {
        allowed: '@acme/db, which is installed',
        action: 'Fill the slot: database: { use: "@acme/db" } under plugins.',
      },
      { allowed: '@acme/book, which is installed', action: 'Configure @acme/book under plugins.' },
    ]);
  });
});

describe('finding a plugin', () => {
  const log = (name: string) => `globalThis.imported = [...(globalThis.imported ?? []), '${name}'];`;

  describe('a package that is not installed', () => {
    async function problemOf(use: string, dependencies: object = {}, files: Record<string, string | object> = {}) {
      const folder = service({
        'package.json': { name: 'shop', type: 'module', dependencies },
        'keelson.yaml': { plugins: { mail: { use } } },
        ...files,
      });
      const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
      expect(problems).toMatchObject([{ code: 'PLUGIN_NOT_INSTALLED', value: use }]);
      return problems[0];
    }

    test('and is in package.json is reported with the command that installs package.json', async () => {
      const problem = await problemOf('@acme/mail', { '@acme/mail': '1' });
      expect(problem).toMatchObject({ action: 'It is in package.json; run: npm install' });
    });

    test('and is one of ours is reported with the command that installs it', async () => {
      expect(await problemOf('@keelson/health')).toMatchObject({ action: 'Run: npm install @keelson/health' });
    });

    test('and is not in package.json is never reported with a command that would install it', async () => {
      for (const use of ['@acme/mail', 'retry-oppossum', '@keelson/telemetry', '@keelson/logger-winston']) {
        expect((await problemOf(use))?.action).not.toContain('npm install');
      }
    });

    test.each([
      ['@keelson/retry-opposum', '@keelson/retry-opossum'],
      ['@keelsen/health', '@keelson/health'],
      ['@keelson/http-expres', '@keelson/http-express'],
      ['retry-opossum', '@keelson/retry-opossum'],
      ['@acme/mial', '@acme/mail'],
      ['@other/stroe', '@other/store'],
    ])('%s was meant to be %s', async (use, meant) => {
      const installed = packageFiles('@other/store', '', '');
      expect(await problemOf(use, { '@acme/mail': '1' }, installed)).toMatchObject({
        nearest: meant,
        action: `Write ${meant}.`,
      });
    });

    test('is not taken for another one that has only a few letters in common', async () => {
      expect(await problemOf('@keelson/logger-pino')).not.toHaveProperty('nearest');
      expect(await problemOf('@acme/post')).not.toHaveProperty('nearest');
    });

    test.each(['None', 'NONE'])('%s was meant to be none', async use => {
      expect(await problemOf(use)).toMatchObject({ nearest: 'none', action: 'Write none.' });
    });
  });

  test('a file without ./ is distinguished from a package, and any other name is refused', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { a: { use: 'orders.js' }, b: { use: '?' } } },
      'orders.js': '',
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([
      { code: 'PLUGIN_NOT_INSTALLED', nearest: './orders.js' },
      { code: 'PLUGIN_NOT_INSTALLED', message: '"?" is neither the name of a package nor a path.' },
    ]);
  });

  test('a package with a broken package.json is reported', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { a: { use: 'odd' } } },
      'node_modules/odd/package.json': '{',
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([{ code: 'PLUGIN_IMPORT_FAILED' }]);
  });

  test('a missing file is reported with the nearest file', async () => {
    const folder = service({ 'keelson.yaml': { plugins: { a: { use: './ordrs.js' } } }, 'orders.js': '' });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([{ code: 'PLUGIN_FILE_MISSING', nearest: 'orders.js' }]);
  });

  test('a path that is not a module is reported as such, a folder with the file in it', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { a: { use: './package.json' }, b: { use: './mail' } } },
      'mail/index.js': '',
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems.map(({ code, message, nearest }) => [code, message.replace(/^.*\//, ''), nearest])).toEqual([
      ['PLUGIN_INVALID', 'package.json is not a module, so it cannot be a plugin.', undefined],
      ['PLUGIN_INVALID', 'mail is a folder, so it cannot be a plugin.', './mail/index.js'],
    ]);
  });

  test('only the manifests of the chosen packages are imported for a plan', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { mail: { use: '@acme/mail' } } },
      ...packageFiles(
        '@acme/mail',
        `${log('main')} export default { name: 'mail' };`,
        `${log('manifest')} export default { name: 'mail' };`,
      ),
      ...packageFiles('@acme/other', log('other')),
    });
    const imported = (globalThis as { imported?: string[] }).imported ?? [];
    const plan = await Kernel.plan({ config: folder.config, variables: {} });
    expect(plan.problems).toEqual([]);
    expect(plan.plugins[0]?.version).toBe('1.2.3');
    expect((globalThis as { imported?: string[] }).imported).toEqual([...imported, 'manifest']);
  });

  test('a file may keep its manifest beside it, so that a plan imports nothing heavier', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { orders: { use: './orders.plugin.js' } } },
      'orders.plugin.js': `throw new Error('imported');`,
      'orders.manifest.js': `export default { name: 'orders' };`,
    });
    expect((await Kernel.plan({ config: folder.config, variables: {} })).problems).toEqual([]);
  });

  test('a package without exports and a CommonJS one are found as well', async () => {
    const folder = service({
      'keelson.yaml': { plugins: { old: { use: 'old-mail' } } },
      'node_modules/old-mail/package.json': { name: 'old-mail', version: '0.0.1', main: 'lib.js' },
      'node_modules/old-mail/lib.js': `module.exports = { name: 'old' };`,
    });
    const plan = await Kernel.plan({ config: folder.config, variables: {} });
    expect(plan.problems).toEqual([]);
    expect(plan.plugins[0]?.manifest.name).toBe('old');
  });

  test('`use: none` leaves the silent default in the slot, and says where that was decided', async () => {
    const folder = service({ 'keelson.yaml': 'plugins:\n  logger: { use: none }\n' });
    const plan = await Kernel.plan({ config: folder.config, variables: {} });
    const choice = plan.slots.find(slot => slot.slot === 'logger');
    expect(choice).toMatchObject({ filledBy: 'silent logger' });
    expect(choice?.reason).toMatch(/^use: none in .*keelson\.yaml:2:18$/);
    expect(silentLogger.isEnabled('fatal')).toBe(false);
  });

  test('all problems of the configuration and the plugins are reported at once', async () => {
    const folder = service({
      'keelson.yaml': {
        plugins: {
          mail: { use: '@acme/mail' },
          orders: { use: './orders.js', port: 'x', prt: 1 },
          book: { use: './book.js' },
        },
      },
      'orders.js': `import { z } from 'zod'; export default { name: 'orders', config: z.object({ port: z.int() }) };`,
      'book.js': `export default { name: 'book', contract: '^7' };`,
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: { KEELSON_BOK__A: '1' } });
    expect(problems.map(problem => problem.code).sort()).toEqual([
      'CONFIG_KEY_UNKNOWN',
      'CONFIG_VALUE_INVALID',
      'CONFIG_VARIABLE_UNKNOWN',
      'PLAN_CONTRACT_MISMATCH',
      'PLUGIN_NOT_INSTALLED',
    ]);
  });
});

describe('a slot of its own', () => {
  interface Greeter {
    greet(): string;
  }
  const Greeter: ServiceToken<Greeter> = serviceToken('test/Greeter');
  const greeting = defineSlot<Greeter>({
    name: 'greeting',
    token: Greeter,
    silentDefault: { name: 'no greeting', create: () => ({ greet: () => '' }) },
  });
  const uses = definePlugin({ name: 'uses', slots: [greeting], requires: [Greeter] });
  const polite = definePlugin({
    name: 'polite',
    slot: 'greeting',
    provides: [Greeter],
    register: ({ bind }) => void bind(Greeter).toConstantValue({ greet: () => 'good day' }),
  });

  async function greetingOf(plugins: Record<string, Plugin>, config: object = {}): Promise<string> {
    await using kernel = await Kernel.start({ config: { service: 'test', ...config }, plugins, variables: {} });
    return kernel.container.get(Greeter).greet();
  }

  test('has its silent default when no plugin fills it, and with `use: none`', async () => {
    expect(await greetingOf({ uses })).toBe('');
    expect(await greetingOf({ uses }, { plugins: { greeting: { use: 'none' } } })).toBe('');
    const { slots } = await planOf({ uses });
    expect(slots.at(-1)).toMatchObject({ slot: 'greeting', filledBy: 'no greeting', reason: 'nothing is configured' });
  });

  test('has the plugin that fills it', async () => {
    expect(await greetingOf({ uses, greeting: polite })).toBe('good day');
    const wrong = await planOf({ uses, greeting: definePlugin({ name: 'rude', slot: 'greeting' }) });
    expect(wrong.problems).toMatchObject([{ code: 'PLAN_TOKEN_NOT_PROVIDED' }]);
  });

  test('has the silent default while its optional plugin fails', async () => {
    const failing = definePlugin({
      name: 'failing',
      slot: 'greeting',
      provides: [Greeter],
      register: ({ bind }) => void bind(Greeter).toConstantValue({ greet: () => 'hello' }),
      start() {
        throw new Error('not today');
      },
    });
    const optional = { overrides: { plugins: { greeting: { optional: true } } } };
    await using kernel = await Kernel.start({
      config: { service: 'test' },
      plugins: { uses, greeting: failing },
      variables: {},
      ...optional,
    });
    expect(kernel.container.get(Greeter).greet()).toBe('');
  });

  test('is refused under the name of a slot of core', async () => {
    const { problems } = await planOf({ bad: definePlugin({ name: 'bad', slots: [{ ...greeting, name: 'logger' }] }) });
    expect(problems).toMatchObject([
      { code: 'PLUGIN_INVALID', message: expect.stringContaining('is one of @keelson/core') },
    ]);
  });
});
