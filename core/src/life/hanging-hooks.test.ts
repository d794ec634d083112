import { describe, expect, test } from 'vitest';
import type { KeelsonError } from '../contract/keelson-error.js';
import type { Plugin } from '../contract/plugin.js';
import { Logger, silentLogger } from '../contract/slots/logger.js';
import { FakeClock } from '../testing/fake-clock.js';
import { Kernel } from './kernel.js';
import { packageFiles, testServiceFolder } from './service.fixture.js';
import { Book, failing, Store, startKernel, telling } from './start.fixture.js';

const never = () => new Promise<void>(() => {});
const hangingModule = `await new Promise(() => {}); export default { name: 'x' };`;

function service(files: Record<string, string | object>) {
  const folder = testServiceFolder(files);
  return folder;
}

async function startOf(config: string, more: { signal?: AbortSignal } = {}): Promise<KeelsonError> {
  return Kernel.start({ config, variables: {}, ...more }).then(
    () => expect.unreachable('the start did not fail'),
    (error: KeelsonError) => error,
  );
}

const entry = (use: string) => ({ service: 'test', plugins: { x: { use, startTimeoutMs: 1_000 } } });

describe('a module that never finishes its own import', () => {
  test('is a problem of the plan when the plan needs it, and names the plugin', async () => {
    const folder = service({ 'keelson.yaml': entry('./x.js'), 'x.js': hangingModule });
    const { problems } = await Kernel.plan({ config: folder.config, variables: {} });
    expect(problems).toMatchObject([{ code: 'PLUGIN_IMPORT_FAILED', path: 'plugins.x.use' }]);
    expect(problems[0]?.message).toContain('./x.js could not be imported: it did not finish within 1000 ms.');
  });

  test('fails the start when the plan was made without it', async () => {
    const files = packageFiles('@acme/x', hangingModule, `export default { name: 'x' };`);
    const folder = service({ 'keelson.yaml': entry('@acme/x'), ...files });
    expect(await startOf(folder.config)).toMatchObject({
      code: 'KERNEL_START_FAILED',
      cause: { code: 'KERNEL_START_TIMEOUT', message: 'x did not finish its import within 1000 ms.' },
    });
  });

  test('does not keep a start from being cancelled', async () => {
    const folder = service({ 'keelson.yaml': { plugins: { x: { use: './x.js' } } }, 'x.js': hangingModule });
    const cancel = new AbortController();
    const started = startOf(folder.config, { signal: cancel.signal });
    cancel.abort('SIGTERM');
    expect(await started).toMatchObject({ code: 'KERNEL_START_CANCELLED', facts: { reason: 'SIGTERM' } });
  });
});

describe('a register hook that never ends', () => {
  test('is given up after the time of a start; what had started is stopped', async () => {
    const clock = new FakeClock();
    const failed = failing({ clock, plugins: { x: { name: 'x', startTimeoutMs: 5_000, register: never } } });
    await clock.advance(5_300);
    expect(await failed).toMatchObject({
      code: 'KERNEL_START_FAILED',
      cause: { code: 'KERNEL_START_TIMEOUT', facts: { plugin: 'x', hook: 'register' } },
    });
  });

  test('is given up when the start is cancelled, and no later plugin registers', async () => {
    const log: string[] = [];
    const cancel = new AbortController();
    const plugins = { x: { name: 'x', register: never }, y: telling(log, 'y') };
    const failed = failing({ plugins, signal: cancel.signal });
    setImmediate(() => cancel.abort('SIGTERM'));
    expect((await failed).code).toBe('KERNEL_START_CANCELLED');
    expect(log).toEqual([]);
  });

  test('that goes on later binds nothing any more', async () => {
    const clock = new FakeClock();
    const late = Promise.withResolvers<void>();
    const bound = Promise.withResolvers<unknown>();
    const x = {
      name: 'x',
      startTimeoutMs: 1_000,
      register: async ({ bind }: { bind: (token: typeof Book) => unknown }) => {
        await late.promise;
        bound.resolve(
          await Promise.resolve()
            .then(() => bind(Book))
            .catch((error: unknown) => error),
        );
      },
    };
    const started = startKernel({
      clock,
      plugins: { x: x as never },
      overrides: { plugins: { x: { optional: true } } },
    });
    await clock.advance(1_300);
    await using kernel = await started;
    late.resolve();
    expect(await bound.promise).toMatchObject({ code: 'PLUGIN_BINDING_REFUSED' });
    expect(kernel.container.isBound(Book)).toBe(false);
  });
});

describe('a stop', () => {
  test('does not wait longer than its budget for a service whose deactivation never ends, and goes on', async () => {
    const clock = new FakeClock();
    const released: string[] = [];
    const kernel = await startKernel({
      clock,
      overrides: { shutdown: { budgetMs: 10_000, flushMs: 1_000 } },
      plugins: {
        book: {
          name: 'book',
          provides: [Book],
          register: ({ bind }) =>
            void bind(Book)
              .toDynamicValue(() => ({ name: 'book' }))
              .inSingletonScope()
              .onDeactivation(() => void released.push('book')),
        },
        x: {
          name: 'x',
          requires: [Book],
          provides: [Store],
          register: ({ bind }) =>
            void bind(Store)
              .toDynamicValue(() => ({ name: 'store' }))
              .inSingletonScope()
              .onDeactivation(never),
        },
      },
    });
    const stopped = kernel.stop();
    await clock.advance(10_300);
    const report = await stopped;
    expect(report.outcome).toBe('budget-exceeded');
    expect(report.plugins.find(plugin => plugin.key === 'x')?.errors).toMatchObject([
      { code: 'KERNEL_STOP_TIMEOUT', facts: { hook: 'deactivation' } },
    ]);
    expect(released).toEqual(['book']);
  });

  test('does not wait for an optional plugin that is being started again: it is stopped with the others', async () => {
    const clock = new FakeClock();
    const again = Promise.withResolvers<void>();
    let starts = 0;
    const x: Plugin = {
      name: 'x',
      stopTimeoutMs: 60_000,
      start: async ({ defer }) => {
        starts += 1;
        if (starts === 1) throw new Error('not yet');
        defer(never);
        again.resolve();
        await never();
      },
    };
    const overrides = {
      startup: { retryAfterMs: 1_000 },
      shutdown: { budgetMs: 10_000, flushMs: 1_000 },
      plugins: { x: { optional: true } },
    };
    const kernel = await startKernel({ clock, plugins: { x }, overrides });
    await clock.advance(1_000);
    await again.promise;
    const stopped = kernel.stop();
    await clock.advance(10_300);
    expect(await stopped).toMatchObject({ outcome: 'budget-exceeded', plugins: [{ key: 'x', outcome: 'timed-out' }] });
  });

  test.each([10, 100, 2_000])(
    'is over within its budget when hooks hang, however small flushMs is: %i ms',
    async flushMs => {
      const clock = new FakeClock();
      const plugins = {
        logger: {
          name: 'logger',
          slot: 'logger',
          provides: [Logger],
          register: ({ bind }: { bind: (token: typeof Logger) => { toConstantValue(value: unknown): unknown } }) =>
            void bind(Logger).toConstantValue({ ...silentLogger, flush: never }),
        },
        x: { name: 'x', start: () => ({ drain: never, stop: never }) },
      };
      const overrides = { shutdown: { budgetMs: 5_000, drainMs: 5_000, flushMs } };
      const kernel = await startKernel({ clock, plugins: plugins as never, overrides });
      let over = false;
      const stopped = kernel.stop().then(report => {
        over = true;
        return report;
      });
      await clock.advance(5_000);
      expect(over).toBe(true);
      expect((await stopped).durationMs).toBeLessThanOrEqual(5_000);
    },
  );
});

describe('a hook that hangs', () => {
  test.each([
    ['start', never],
    ['ready', () => ({ ready: never })],
  ] as const)('in %s and did not say what it waits for gets a hint to call waitingFor', async (hook, start) => {
    const clock = new FakeClock();
    const failed = failing({ clock, plugins: { x: { name: 'x', startTimeoutMs: 1_000, start } } });
    await clock.advance(1_300);
    const { cause, hint } = await failed;
    expect((cause as Error).message).toBe(
      `x did not finish its ${hook} within 1000 ms; it did not say what it waits for.`,
    );
    expect(hint).toBe(
      `Find out what its ${hook} waits for, or set plugins.x.startTimeoutMs. Let the plugin report it: its ${hook} may call waitingFor('a connection to db:5432') of its context.`,
    );
  });

  test('is named while the start is slow, with what is known of it', async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const plugins = { x: { name: 'x', startTimeoutMs: 8_000, start: never } };
    const failed = failing({ clock, plugins, onSlowStart: message => told.push(message) });
    await clock.advance(9_000);
    await failed;
    expect(told).toEqual(['Still starting after 5 s: x (does not say what its start waits for).']);
  });
});
