import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { isKeelsonError, KeelsonError } from '../errors/keelson-error.js';
import { definePlugin, type Plugin, type RegisterContext } from '../plugin/plugin.js';
import { Logger, silentLogger } from '../slots/logger.js';
import { Telemetry } from '../slots/telemetry.js';
import { FakeClock } from '../testing/fake-clock.js';
import { type ServiceToken, serviceToken } from '../token.js';
import { Kernel } from './kernel.js';
import type { KernelOptions } from './kernel-options.js';
import { formatBootReport } from './report.js';
import { serviceFolder } from './service.fixture.js';

interface Named {
  readonly name: string;
}

const Book: ServiceToken<Named> = serviceToken('test/Book');
const Store: ServiceToken<Named> = serviceToken('test/Store');

type Given = Partial<KernelOptions> & { readonly plugins: Record<string, Plugin> };

function boot(options: Given): Promise<Kernel> {
  return Kernel.start({ config: { service: 'test' }, variables: {}, ...options });
}

async function failing(options: Given): Promise<KeelsonError> {
  const error: unknown = await boot(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isKeelsonError(error)) throw new Error('the start did not fail as it should', { cause: error });
  return error;
}

/** A plugin that writes each of its hooks into `log`. */
function telling(log: string[], name: string, more: Partial<Plugin> = {}): Plugin {
  const tell = (hook: string) => () => void log.push(`${name}.${hook}`);
  return {
    name,
    register: tell('register'),
    start: tell('start'),
    ready: tell('ready'),
    drain: tell('drain'),
    stop: tell('stop'),
    ...more,
  };
}

const bindBook = ({ bind }: RegisterContext<unknown>): void => {
  bind(Book).toConstantValue({ name: 'book' });
};

const book = (more: Partial<Plugin> = {}): Plugin => ({
  name: 'book',
  provides: [Book],
  register: bindBook,
  ...more,
});

describe('a start', () => {
  test('registers all, then starts in order, then lets work in, and a stop goes back', async () => {
    const log: string[] = [];
    const kernel = await boot({
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
    const kernel = await boot({ plugins: { a: { name: 'a', start }, b: { name: 'b', start } } });
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
    await boot({
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
    const kernel = await boot({
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
    const { container } = await boot({ plugins: { database: plugin, 'database/reporting': plugin } });
    expect(container.get(database)).toEqual({ name: 'database' });
    expect(container.get(database, { name: 'reporting' })).toEqual({ name: 'database/reporting' });
    expect(container.get(database, { name: 'reporting' })).toBe(container.get(database, { name: 'reporting' }));
    expect(container.get(Alias, { name: 'reporting' })).toBe(container.get(database, { name: 'reporting' }));
    expect(container.get(Alias)).toBe(container.get(database));
  });

  test('binds what stands in for the slots that nobody fills', async () => {
    const { container } = await boot({ plugins: {} });
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

describe('a start that fails', () => {
  const refused = new KeelsonError({ code: 'TEST_REFUSED', message: 'The port is taken.', hint: 'Choose another.' });
  const throwing = (error: unknown) => () => {
    throw error;
  };

  test('names every failure of the level and what was not tried, and stops what had begun in reverse', async () => {
    const log: string[] = [];
    const error = await failing({
      plugins: {
        base: telling(log, 'base', {
          provides: [Store],
          register: ({ bind }) => void bind(Store).toConstantValue({ name: '' }),
        }),
        a: telling(log, 'a', { requires: [Store], start: throwing(refused) }),
        b: telling(log, 'b', {
          requires: [Store],
          provides: [Book],
          register: bindBook,
          start: throwing(new Error('no answer')),
        }),
        c: telling(log, 'c', { requires: [Book] }),
      },
    });
    expect(error.code).toBe('KERNEL_START_FAILED');
    expect(error.message).toContain('2 of 4 plugins failed');
    expect(error.message).toContain('a: The port is taken.');
    expect(error.message).toContain('b: no answer');
    expect(error.message).toContain('not tried: c');
    expect(error.hint).toBe('Choose another.');
    expect(error.cause).toMatchObject({ errors: [refused, { message: 'no answer' }] });
    expect(log).toEqual(['a.register', 'c.register', 'base.start', 'a.stop', 'b.stop', 'base.stop']);
  });

  test('has a boot report that says it all', async () => {
    const error = await failing({
      plugins: {
        book: book({ start: throwing(refused) }),
        orders: { name: 'orders', requires: [Book] },
      },
    });
    const { report } = error as unknown as { report: Kernel['report'] };
    expect(report.outcome).toBe('failed');
    const text = formatBootReport(report)
      .replaceAll(/ +/g, ' ')
      .replaceAll(/\d+ ms/g, 'N ms');
    expect(text).toBe(
      [
        'test did not start: 1 of 2 plugins failed after N ms',
        '├── book N ms TEST_REFUSED The port is taken.',
        '└── orders not tried: needs book',
      ].join('\n'),
    );
  });

  test('in a register leaves nothing of that plugin bound, and starts nobody', async () => {
    const log: string[] = [];
    const error = await failing({
      plugins: {
        a: book({
          register: ({ bind }) => {
            bind(Book).toConstantValue({ name: 'half' });
            throw refused;
          },
        }),
        b: telling(log, 'b'),
      },
    });
    expect(error.code).toBe('KERNEL_START_FAILED');
    expect(log).toEqual(['b.register']);
  });

  test('because a promised service was not bound says so', async () => {
    const error = await failing({ plugins: { a: book({ register: () => {} }) } });
    expect(error.cause).toMatchObject({ code: 'PLUGIN_TOKEN_NOT_BOUND', facts: { tokens: ['test/Book'] } });
  });

  test('in its time says who, how long, and what the plugin said last', async () => {
    const clock = new FakeClock();
    const started = failing({
      clock,
      plugins: {
        slow: {
          name: 'slow',
          startTimeoutMs: 1_000,
          start: ({ signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(new Error('db:5432 refuses connections')));
            }),
        },
      },
    });
    await clock.advance(1_000);
    const error = await started;
    expect(error.cause).toMatchObject({ code: 'KERNEL_START_TIMEOUT', facts: { plugin: 'slow', timeoutMs: 1_000 } });
    expect(error.message).toContain('db:5432 refuses connections');
    expect(clock.pending).toBe(0);
  });

  test('in the time of the whole start says what it was waiting for', async () => {
    const clock = new FakeClock();
    const started = failing({
      clock,
      overrides: { startup: { timeoutMs: 500 } },
      plugins: { slow: { name: 'slow', start: () => new Promise(() => {}) } },
    });
    await clock.advance(2_000);
    expect((await started).message).toContain('waiting for slow');
  });

  test('at its first hook that throws something that is no error still says what', async () => {
    expect((await failing({ plugins: { a: { name: 'a', start: throwing('odd') } } })).message).toContain('a: odd');
  });
});

describe('a start that is cancelled', () => {
  test('tells the plugin that is starting, stops what had begun and tries nothing more', async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const begun = Promise.withResolvers<void>();
    const started = failing({
      signal: controller.signal,
      plugins: {
        a: telling(log, 'a', {
          provides: [Book],
          register: bindBook,
          start: ({ signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason));
              begun.resolve();
            }),
        }),
        b: telling(log, 'b', { requires: [Book] }),
      },
    });
    await begun.promise;
    controller.abort('SIGTERM');
    const error = await started;
    expect(error.code).toBe('KERNEL_START_CANCELLED');
    expect(error.message).toContain('SIGTERM');
    expect(log).toEqual(['b.register', 'a.stop']);
  });

  test('before it began starts nobody', async () => {
    const log: string[] = [];
    const error = await failing({ signal: AbortSignal.abort('SIGINT'), plugins: { a: telling(log, 'a') } });
    expect(error.code).toBe('KERNEL_START_CANCELLED');
    expect(log).toEqual([]);
  });
});

describe('a stop', () => {
  test('first fails readiness, keeps serving for the notice, then drains', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    const kernel = await boot({
      clock,
      overrides: { shutdown: { noticeMs: 5_000 } },
      plugins: { a: telling(log, 'a', { register: () => {}, start: () => {}, ready: () => {} }) },
    });
    kernel.lifecycle.onPhase(phase => log.push(phase));
    kernel.lifecycle.stopping.addEventListener('abort', () => log.push('aborted'));
    const stopped = kernel.stop('deploy');
    await clock.advance(4_999);
    expect(log).toEqual(['aborted', 'stopping']);
    await clock.advance(1);
    const report = await stopped;
    expect(log).toEqual(['aborted', 'stopping', 'a.drain', 'a.stop', 'stopped']);
    expect(report).toMatchObject({ reason: 'deploy', outcome: 'clean', phases: { noticeMs: 5_000 } });
  });

  test('twice is once', async () => {
    const log: string[] = [];
    const kernel = await boot({ plugins: { a: telling(log, 'a') } });
    const [first, second] = await Promise.all([kernel.stop(), kernel.stop()]);
    expect(first).toBe(second);
    expect(await kernel.stop()).toBe(first);
    expect(log.filter(line => line === 'a.stop')).toHaveLength(1);
  });

  test('that fails in one plugin goes on with the others, and says so', async () => {
    const log: string[] = [];
    const kernel = await boot({
      plugins: {
        book: telling(log, 'book', { provides: [Book], register: bindBook }),
        orders: telling(log, 'orders', {
          requires: [Book],
          drain: () => Promise.reject(new Error('cannot drain')),
          stop: () => Promise.reject(new Error('cannot stop')),
        }),
      },
    });
    const report = await kernel.stop();
    expect(report.outcome).toBe('failed');
    expect(report.plugins.find(plugin => plugin.key === 'orders')?.errors).toHaveLength(2);
    expect(log).toContain('book.stop');
  });

  test('that hangs in one plugin is given up after its time, inside one budget', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    const kernel = await boot({
      clock,
      overrides: { shutdown: { budgetMs: 10_000, flushMs: 1_000, drainMs: 4_000 } },
      plugins: {
        book: telling(log, 'book', { provides: [Book], register: bindBook }),
        orders: telling(log, 'orders', {
          requires: [Book],
          stopTimeoutMs: 60_000,
          drain: () => new Promise(() => {}),
          stop: () => new Promise(() => {}),
        }),
      },
    });
    const stopped = kernel.stop();
    await clock.advance(11_000);
    const report = await stopped;
    expect(report.outcome).toBe('budget-exceeded');
    expect(report.durationMs).toBeLessThanOrEqual(10_000);
    expect(report.plugins.find(plugin => plugin.key === 'orders')?.errors).toMatchObject([
      { code: 'KERNEL_STOP_TIMEOUT', facts: { hook: 'drain' } },
      { code: 'KERNEL_STOP_TIMEOUT', facts: { hook: 'stop' } },
    ]);
    expect(log).toContain('book.stop');
  });

  test('flushes telemetry and logs after the others have stopped, and stops those two last', async () => {
    const log: string[] = [];
    const flush = async () => log.push('flush telemetry') > 0;
    const kernel = await boot({
      plugins: {
        logger: telling(log, 'logger', {
          slot: 'logger',
          provides: [Logger],
          register: ({ bind }) =>
            void bind(Logger).toConstantValue({ ...silentLogger, flush: async () => void log.push('flush logger') }),
        }),
        telemetry: telling(log, 'telemetry', {
          slot: 'telemetry',
          provides: [Telemetry],
          register: ({ bind }) => void bind(Telemetry).toConstantValue({ flush } as unknown as Telemetry),
        }),
        orders: telling(log, 'orders'),
      },
    });
    log.length = 0;
    await kernel.stop();
    expect(log.filter(line => !line.endsWith('drain'))).toEqual([
      'orders.stop',
      'flush telemetry',
      'flush logger',
      'telemetry.stop',
      'logger.stop',
    ]);
  });

  test('runs when the kernel goes out of scope', async () => {
    const log: string[] = [];
    {
      await using kernel = await boot({ plugins: { a: telling(log, 'a') } });
      expect(kernel.lifecycle.phase).toBe('ready');
    }
    expect(log).toContain('a.stop');
  });

  test('leaves no timer behind', async () => {
    const clock = new FakeClock();
    const kernel = await boot({ clock, plugins: { a: telling([], 'a') } });
    await kernel.stop();
    expect(clock.pending).toBe(0);
  });
});

test('a lifecycle listener that throws or has gone keeps nobody from being told', async () => {
  const kernel = await boot({ plugins: {} });
  const told: string[] = [];
  onTestFinished(() => void kernel.stop());
  kernel.lifecycle.onPhase(() => {
    throw new Error('listener');
  });
  const gone = kernel.lifecycle.onPhase(phase => told.push(`gone ${phase}`));
  kernel.lifecycle.onPhase(phase => told.push(phase));
  gone[Symbol.dispose]();
  await kernel.stop();
  expect(told).toEqual(['stopping', 'stopped']);
});
