import { inject, injectable, optional } from 'inversify';
import { describe, expect, test } from 'vitest';
import { isKeelsonError, type KeelsonError } from '../contract/keelson-error.js';
import type { Plugin, RegisteredPlugin } from '../contract/plugin.js';
import type { RegisterContext } from '../contract/plugin-context.js';
import type { PluginManifest } from '../contract/plugin-manifest.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { type ServiceToken, serviceToken } from '../contract/token.js';
import { Kernel } from './kernel.js';
import type { KernelOptions } from './kernel-options.js';

/** Each test is named after a trap of Inversify that the kernel keeps its users out of. */

interface Thing {
  readonly name: string;
}

const Database: ServiceToken<Thing> = serviceToken('test/Database');
const Session: ServiceToken<Thing> = serviceToken('test/Session');
const Repository: ServiceToken<Thing> = serviceToken('test/Repository');
const Book: ServiceToken<Thing> = serviceToken('test/Book');

function startKernel(plugins: Record<string, Plugin>, options: Partial<KernelOptions> = {}): Promise<Kernel> {
  return Kernel.start({ config: { service: 'test' }, variables: {}, plugins, ...options });
}

async function failing(plugins: Record<string, Plugin>): Promise<KeelsonError> {
  const error: unknown = await startKernel(plugins).catch((thrown: unknown) => thrown);
  if (!isKeelsonError(error)) throw new Error('the start did not fail as it should', { cause: error });
  return error;
}

const registering = (
  register: (context: RegisterContext<unknown>) => void,
  { start = () => {}, ...manifest }: Partial<PluginManifest> & Pick<RegisteredPlugin, 'start'> = {},
): Plugin => ({ name: 'test', ...manifest, register, start });

test('a rejected async singleton is cached forever: the kernel makes a failed optional plugin again', async () => {
  let attempts = 0;
  const made = Promise.withResolvers<void>();
  const plugin = registering(
    ({ bind }) =>
      void bind(Database)
        .toDynamicValue(async () => {
          if (++attempts < 3) throw new Error('no answer');
          return { name: 'third' };
        })
        .inSingletonScope(),
    { provides: [Database], start: () => ({ ready: () => made.resolve() }) },
  );
  const overrides = { startup: { retryAfterMs: 1 }, plugins: { database2: { optional: true } } };
  await using kernel = await startKernel({ database2: plugin }, { overrides });
  await made.promise;
  expect(kernel.container.get(Database)).toEqual({ name: 'third' });
  expect(attempts).toBe(3);
});

test('an async singleton cannot be got synchronously: one that is provided can, after the start', async () => {
  await using kernel = await startKernel({
    a: registering(
      ({ bind }) =>
        void bind(Database)
          .toDynamicValue(async () => ({ name: 'warm' }))
          .inSingletonScope(),
      { provides: [Database] },
    ),
  });
  expect(kernel.container.get(Database)).toEqual({ name: 'warm' });
});

test('unbinding deactivates all at once and in no order: plugins are taken back in reverse, one failure alone', async () => {
  const log: string[] = [];
  const kernel = await startKernel({
    a: registering(
      ({ bind }) =>
        void bind(Database)
          .toDynamicValue(() => ({ name: 'db' }))
          .inSingletonScope()
          .onDeactivation(async () => void log.push('database')),
      { provides: [Database] },
    ),
    b: registering(
      ({ bind }) =>
        void bind(Repository)
          .toResolvedValue((database: Thing) => database, [Database])
          .inSingletonScope()
          .onDeactivation(async () => {
            log.push('repository');
            throw new Error('stuck');
          }),
      { provides: [Repository], requires: [Database] },
    ),
  });
  const report = await kernel.stop();
  expect(log).toEqual(['repository', 'database']);
  expect(report.outcome).toBe('failed');
  expect(report.plugins.find(plugin => plugin.key === 'b')?.errors).toMatchObject([{ message: 'stuck' }]);
});

test('disposal goes by who was resolved first: plugins stop in the order of what they need, and once', async () => {
  const log: string[] = [];
  const kernel = await startKernel({
    repository: registering(({ bind }) => void bind(Repository).toConstantValue({ name: 'r' }), {
      provides: [Repository],
      requires: [Database],
      start: () => ({ stop: () => void log.push('repository') }),
    }),
    database2: registering(({ bind }) => void bind(Database).toConstantValue({ name: 'd' }), {
      provides: [Database],
      start: () => ({ stop: () => void log.push('database') }),
    }),
  });
  kernel.container.get(Database);
  await kernel.stop();
  await kernel.stop();
  expect(log).toEqual(['repository', 'database']);
});

test('a module that throws half-way leaves its bindings: a plugin that fails to register leaves none', async () => {
  const overrides = { startup: { retryAfterMs: 3_600_000 }, plugins: { a: { optional: true } } };
  const half = registering(({ bind }) => {
    bind(Database).toConstantValue({ name: 'half' });
    throw new Error('half-way');
  });
  await using kernel = await startKernel({ a: half }, { overrides });
  expect(kernel.container.isBound(Database)).toBe(false);
  expect(kernel.report.plugins[0]).toMatchObject({ outcome: 'failed', failedIn: 'register' });
});

describe('a singleton captures what lives for one session', () => {
  test('a singleton that would keep one is refused before anything starts, with the way to it', async () => {
    const log: string[] = [];
    const error = await failing({
      a: registering(
        ({ bind }) => {
          bind(Session).toDynamicValue(() => ({ name: 's' }));
          bind(Repository).toResolvedValue((session: Thing) => session, [Session]);
          bind(Book)
            .toResolvedValue((repository: Thing) => repository, [Repository])
            .inSingletonScope();
        },
        { perSession: [Session], start: () => void log.push('started') },
      ),
    });
    expect(error.cause).toMatchObject({
      code: 'KERNEL_LIFETIME_CAPTIVE',
      facts: { plugin: 'a', path: 'test/Book -> test/Repository -> test/Session' },
    });
    expect(log).toEqual([]);
  });

  test('so is one that would keep a service in request scope', async () => {
    const error = await failing({
      a: registering(({ bind }) => {
        bind(Session)
          .toDynamicValue(() => ({ name: 's' }))
          .inRequestScope();
        bind(Book)
          .toResolvedValue((session: Thing) => session, [Session])
          .inSingletonScope();
      }),
    });
    expect(error.cause).toMatchObject({ code: 'KERNEL_LIFETIME_CAPTIVE' });
  });

  test('so is one whose dependency only a child container would have', async () => {
    const error = await failing({
      a: registering(
        ({ bind }) =>
          void bind(Book)
            .toResolvedValue((session: Thing) => session, [Session])
            .inSingletonScope(),
      ),
    });
    expect(error.cause).toMatchObject({ code: 'KERNEL_SERVICE_UNBOUND', facts: { path: 'test/Book -> test/Session' } });
  });

  test('decorated classes are looked into as well, and an optional dependency may be missing', async () => {
    class Decorated {
      readonly session: Thing | undefined;
      constructor(session: Thing | undefined) {
        this.session = session;
      }
    }
    class Lenient extends Decorated {}
    injectable()(Decorated);
    inject(Session)(Decorated, undefined, 0);
    injectable()(Lenient);
    inject(Session)(Lenient, undefined, 0);
    optional()(Lenient, undefined, 0);
    const error = await failing({ a: registering(({ bind }) => void bind(Decorated).toSelf().inSingletonScope()) });
    expect(error.cause).toMatchObject({ code: 'KERNEL_SERVICE_UNBOUND' });
    await using kernel = await startKernel({
      a: registering(({ bind }) => void bind(Lenient).toSelf().inSingletonScope()),
    });
    expect(kernel.container.get(Lenient).session).toBeUndefined();
  });
});

test('a rebind does not reach users of the old service: it is refused while the service runs', async () => {
  const kernel = await startKernel({
    a: registering(({ bind }) => void bind(Database).toConstantValue({ name: 'a' }), { provides: [Database] }),
  });
  const { container } = kernel;
  const refusals = [
    () => container.rebind(Database),
    () => container.unbind(Database),
    () => container.unbindAll(),
    () => container.restore(),
  ];
  for (const refused of refusals) expect(refused).toThrow(expect.objectContaining({ code: 'KERNEL_CONTAINER_SEALED' }));
  await expect(container.rebindAsync(Logger)).rejects.toMatchObject({ code: 'KERNEL_CONTAINER_SEALED' });
  await expect(container.unbindAsync(Logger)).rejects.toMatchObject({ code: 'KERNEL_CONTAINER_SEALED' });
  await expect(container.unbindAllAsync()).rejects.toMatchObject({ code: 'KERNEL_CONTAINER_SEALED' });
  container.bind(Book).toConstantValue({ name: 'mine' });
  container.rebind(Book).toConstantValue({ name: 'other' });
  expect(container.get(Book)).toEqual({ name: 'other' });
  await kernel.stop();
});

test('a plugin that starts again reaches users that hold the silent default', async () => {
  const lines: string[] = [];
  const attempts: (() => void)[] = [];
  const logger = { ...silentLogger, info: (message: string) => void lines.push(message), child: () => logger };
  const ready = Promise.withResolvers<void>();
  const plugin: Plugin = {
    name: 'log',
    slot: 'logger',
    provides: [Logger],
    register: ({ bind }) => void bind(Logger).toConstantValue(logger),
    start: () => {
      if (attempts.push(() => {}) === 1) throw new Error('disk full');
      return { ready: () => ready.resolve() };
    },
  };
  const overrides = { startup: { retryAfterMs: 1 }, plugins: { logger: { optional: true } } };
  await using kernel = await startKernel({ logger: plugin }, { overrides });
  const held = kernel.container.get(Logger);
  held.info('lost');
  await ready.promise;
  held.info('kept');
  expect(lines).toContain('kept');
  expect(lines).not.toContain('lost');
});

test('two bindings of one service are ambiguous, and Inversify does not name their plugins: the second is refused by name', async () => {
  const error = await failing({
    a: registering(({ bind }) => void bind(Database).toConstantValue({ name: 'a' }), { provides: [Database] }),
    b: registering(({ bind }) => void bind(Database).toConstantValue({ name: 'b' })),
  });
  expect(error.cause).toMatchObject({ code: 'PLUGIN_BINDING_REFUSED', facts: { plugin: 'b', token: 'test/Database' } });
  expect(
    await failing({ b: registering(({ bind }) => void bind(Logger).toConstantValue(silentLogger)) }),
  ).toMatchObject({
    cause: { code: 'PLUGIN_BINDING_REFUSED' },
  });
});

test('getAll returns every binding of a service, from all plugins', async () => {
  const one = registering(({ bind }) => void bind(Book).toConstantValue({ name: 'one' }));
  const two = registering(({ bind }) => void bind(Book).toConstantValue({ name: 'two' }));
  await using kernel = await startKernel({ one, two });
  expect(kernel.container.getAll(Book)).toEqual([{ name: 'one' }, { name: 'two' }]);
});

test('a started singleton is got as fast as from plain Inversify: nothing stands between', async () => {
  await using kernel = await startKernel({
    a: registering(({ bind }) => void bind(Book).toConstantValue({ name: 'one' })),
  });
  const { get } = Object.getPrototypeOf(Object.getPrototypeOf(kernel.container));
  expect(kernel.container.get).toBe(get);
});
