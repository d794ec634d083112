import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin, type Plugin } from '../contract/plugin.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { Telemetry } from '../contract/slots/telemetry.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { Kernel } from './kernel.js';
import { serviceFolder } from './service.fixture.js';
import { Book, bindBook, book, failing, type Named, Store, startKernel, telling } from './start.fixture.js';

describe('a start', () => {
  test('registers all, then starts in order, then lets work in, and a stop goes back', async () => {
    const log: string[] = [];
    const kernel = await startKernel({
      plugins: {
        orders: telling(log, 'orders', { requires: [Book] }),
        book: telling(log, 'book', { provides: [Book], register: bindBook }),
      },
    });
    expect(kernel.lifecycle.phase).toBe('ready');
    await kernel.stop();
    expect(kernel.lifecycle.phase).toBe('stopped');
    expect(log).toEqual([
      'orders.register',
      'book.start',
      'orders.start',
      'book.ready',
      'orders.ready',
      'book.drain',
      'orders.drain',
      'orders.stop',
      'book.stop',
    ]);
  });

  test('starts the plugins of one level side by side', async () => {
    const both = Promise.withResolvers<void>();
    let running = 0;
    const start = () => {
      if (++running === 2) both.resolve();
      return both.promise;
    };
    const kernel = await startKernel({ plugins: { a: { name: 'a', start }, b: { name: 'b', start } } });
    expect(kernel.report.plugins.map(plugin => plugin.outcome)).toEqual(['started', 'started']);
    await kernel.stop();
  });

  test('gives each plugin its configuration, key, directory and a logger that names it', async () => {
    const seen: unknown[] = [];
    const logger = {
      ...silentLogger,
      child: (facts: object) => {
        seen.push(facts);
        return silentLogger;
      },
    };
    await startKernel({
      directory: '/srv',
      overrides: { plugins: { a: { port: 1 } } },
      plugins: {
        logger: {
          name: 'l',
          slot: 'logger',
          provides: [Logger],
          register: ({ bind }) => void bind(Logger).toConstantValue(logger),
        },
        a: definePlugin<{ port: number; host: string }>({
          name: 'a',
          config: z.object({ port: z.int(), host: z.string().default('::') }),
          start: ({ config, key, directory, instance, service }) =>
            void seen.push({ config, key, directory, instance, service }),
        }),
      },
    });
    expect(seen).toContainEqual({ plugin: 'a' });
    expect(seen).toContainEqual({
      config: { port: 1, host: '::' },
      key: 'a',
      directory: '/srv',
      instance: undefined,
      service: 'test',
    });
  });

  test('makes an asynchronous singleton before anyone who requires it starts, so that `get` is synchronous', async () => {
    const got: Named[] = [];
    const kernel = await startKernel({
      plugins: {
        book: book({
          register: ({ bind }) =>
            void bind(Book)
              .toDynamicValue(async () => ({ name: 'made' }))
              .inSingletonScope(),
        }),
        orders: { name: 'orders', requires: [Book], start: ({ container }) => void got.push(container.get(Book)) },
      },
    });
    expect(got).toEqual([{ name: 'made' }]);
    expect(kernel.container.get(Book)).toBe(got[0]);
  });

  test('binds a further instance of a slot under its name, whatever the plugin does to bind it', async () => {
    const database: ServiceToken<Named> = serviceToken('@keelson/database/DatabaseService');
    const Alias: ServiceToken<Named> = serviceToken('test/Alias');
    const plugin: Plugin = {
      name: 'db',
      slot: 'database',
      provides: [database],
      register: ({ bind, key }) => {
        bind(database)
          .toDynamicValue(() => ({ name: key }))
          .inSingletonScope();
        bind(Alias).toService(database);
      },
    };
    const { container } = await startKernel({ plugins: { database: plugin, 'database/reporting': plugin } });
    expect(container.get(database)).toEqual({ name: 'database' });
    expect(container.get(database, { name: 'reporting' })).toEqual({ name: 'database/reporting' });
    expect(container.get(database, { name: 'reporting' })).toBe(container.get(database, { name: 'reporting' }));
    expect(container.get(Alias, { name: 'reporting' })).toBe(container.get(database, { name: 'reporting' }));
    expect(container.get(Alias)).toBe(container.get(database));
  });

  test('binds the silent defaults of slots that no plugin fills', async () => {
    const { container } = await startKernel({ plugins: {} });
    expect(container.get(Logger)).toBe(silentLogger);
    expect(container.get(Telemetry).currentTraceId()).toBeUndefined();
  });

  test('instruments before any file of the service is imported', async () => {
    const telemetry = `
      globalThis.order = ['telemetry imported'];
      const Telemetry = Symbol.for('@keelson/core/Telemetry');
      export default {
        name: 'trace', slot: 'telemetry', provides: [Telemetry],
        instrument() { globalThis.order.push('instrumented'); },
        register({ bind }) { bind(Telemetry).toConstantValue({ flush: async () => true }); },
      };`;
    using folder = serviceFolder({
      'keelson.yaml': { plugins: { orders: { use: './orders.js' }, telemetry: { use: './telemetry.js' } } },
      'orders.js': `globalThis.order.push('service imported'); export default { name: 'orders' };`,
      'telemetry.js': telemetry,
    });
    const kernel = await Kernel.start({ config: folder.config, variables: {} });
    await kernel.stop();
    expect((globalThis as { order?: string[] }).order).toEqual([
      'telemetry imported',
      'instrumented',
      'service imported',
    ]);
  });

  test('does nothing at all when the plan does not hold', async () => {
    const log: string[] = [];
    const plugins = { a: telling(log, 'a', { requires: [Store] }) };
    const error = await failing({ plugins });
    expect(error.code).toBe('KERNEL_PLAN_INVALID');
    expect(error.message).toContain('PLAN_REQUIREMENT_MISSING');
    expect(log).toEqual([]);
  });
});
