import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin, type Plugin } from '../contract/plugin.js';
import { namedService } from '../contract/requirement.js';
import { defineSlot } from '../contract/slot.js';
import { Credentials } from '../contract/slots/credentials.js';
import { Logger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { Kernel } from '../life/kernel.js';
import type { KernelOptions } from '../life/kernel-options.js';
import { packageFiles, testServiceFolder } from '../life/service.fixture.js';

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
    const folder = testServiceFolder({
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
    const folder = testServiceFolder({
      'keelson.yaml': { plugins: { database: { use: './gone.js' }, orders: { use: './orders.js' } } },
      'orders.js': `export default { name: 'orders', requires: [Symbol.for('@keelson/database/DatabaseService')] };`,
    });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems.map(problem => problem.code)).toEqual(['PLUGIN_FILE_MISSING']);
  });

  test('a requirement is missing that an installed package would meet: it is named', async () => {
    const provider = (token: string) => `export default { name: 'x', provides: [Symbol.for('${token}')] };`;
    const database = provider('@keelson/database/DatabaseService').replace('{', `{ slot: 'database',`);
    const folder = testServiceFolder({
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
      {
        code: 'PLUGIN_INVALID',
        message: expect.stringContaining('it defines the slot logger, which @keelson/core already defines'),
      },
    ]);
  });
});
