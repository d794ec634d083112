import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { defineOperation } from '../contract/operation.js';
import { definePlugin, type Plugin } from '../contract/plugin.js';
import { Logger } from '../contract/slots/logger.js';
import { FakeClock } from '../testing/fake-clock.js';
import { RecordingLogger } from '../testing/recording-logger.js';
import { Kernel } from './kernel.js';
import { serviceFolder } from './service.fixture.js';
import { Book, failing, startKernel } from './start.fixture.js';

const never = () => new Promise<never>(() => {});

/** Counts what is done to it: each step hands its own to the next. */
const counter = definePlugin<{ by: number }>({
  name: 'counter',
  config: z.object({ by: z.int().default(1).meta({ reloadable: true }) }),
  instrument: () => {
    const steps = ['instrument'];
    return {
      register() {
        steps.push('register');
        return {
          start({ config }) {
            let { by } = config;
            let count = 0;
            return {
              ready: () => void steps.push('ready'),
              reconfigure: context => {
                by = context.config.by;
              },
              inspect: () => ({ facts: { steps, by, count } }),
              operations: {
                count: defineOperation({
                  description: 'Counts.',
                  arguments: z.object({}),
                  run: () => {
                    count += by;
                    return `It is ${count}.`;
                  },
                }),
              },
            };
          },
        };
      },
    };
  },
}) as Plugin;

async function factsOf(kernel: Kernel): Promise<unknown> {
  return (await kernel.status()).plugins.find(({ key }) => key === 'counter')?.facts;
}

describe('the state that the hooks of a plugin share', () => {
  test('goes from each step to the next, from instrument to the operations', async () => {
    await using kernel = await startKernel({ plugins: { counter } });
    await kernel.operate('counter', 'count', []);
    expect(await factsOf(kernel)).toEqual({ steps: ['instrument', 'register', 'ready'], by: 1, count: 1 });
  });

  test('is another in each kernel, also of one plugin with one configuration', async () => {
    await using one = await startKernel({ plugins: { counter } });
    await using other = await startKernel({ plugins: { counter } });
    await one.operate('counter', 'count', []);
    await one.operate('counter', 'count', []);
    expect(await factsOf(one)).toMatchObject({ steps: ['instrument', 'register', 'ready'], count: 2 });
    expect(await factsOf(other)).toMatchObject({ steps: ['instrument', 'register', 'ready'], count: 0 });
  });

  test('stays when a value changes while it runs', async () => {
    using folder = serviceFolder({ 'keelson.yaml': { plugins: { counter: { by: 1 } } } });
    await using kernel = await Kernel.start({ config: folder.config, variables: {}, plugins: { counter } });
    await kernel.operate('counter', 'count', []);
    folder.write('keelson.yaml', { plugins: { counter: { by: 10 } } });
    expect((await kernel.reload()).changes).toMatchObject([{ path: 'counter.by', outcome: 'applied' }]);
    expect(await kernel.operate('counter', 'count', [])).toBe('It is 11.');
  });

  test('does not depend on the object that holds the configuration', async () => {
    await using kernel = await startKernel({
      plugins: { counter },
      revise: plan => ({
        ...plan,
        plugins: plan.plugins.map(planned => ({ ...planned, config: { ...(planned.config as object), by: 5 } })),
      }),
    });
    expect(await kernel.operate('counter', 'count', [])).toBe('It is 5.');
  });

  test('may be in an instance of a class', async () => {
    class Pool {
      #open = true;
      inspect() {
        return { facts: { open: this.#open } };
      }
      stop() {
        this.#open = false;
      }
    }
    const pool = new Pool();
    const kernel = await startKernel({ plugins: { counter: { name: 'counter', start: () => pool } } });
    expect(await factsOf(kernel)).toEqual({ open: true });
    await kernel.stop();
    expect(pool.inspect()).toEqual({ facts: { open: false } });
    expect(await factsOf(kernel), 'a stopped plugin is not asked').toBeUndefined();
  });
});

describe('a resource of a start', () => {
  /** Takes two things and then goes on as `then` does. */
  const taking = (log: string[], then: () => unknown): Plugin => ({
    name: 'taking',
    startTimeoutMs: 1_000,
    async start({ defer }) {
      for (const taken of ['first', 'second']) defer(() => void log.push(taken));
      await then();
      return { stop: () => void log.push('stop') };
    },
  });

  test('is released when the plugin stops, the last first, after its own stop', async () => {
    const log: string[] = [];
    const kernel = await startKernel({ plugins: { taking: taking(log, () => {}) } });
    expect(log).toEqual([]);
    await kernel.stop();
    await kernel.stop();
    expect(log).toEqual(['stop', 'second', 'first']);
  });

  test.each([
    ['fails', () => Promise.reject(new Error('no luck'))],
    ['runs out of its time', never],
  ])('is released when the start %s, without a call of stop', async (_how, then) => {
    const clock = new FakeClock();
    const log: string[] = [];
    const failed = failing({ clock, plugins: { taking: taking(log, then) } });
    await clock.advance(2_000);
    expect((await failed).code).toBe('KERNEL_START_FAILED');
    expect(log).toEqual(['second', 'first']);
  });

  test('is released together with the plugin when a service that it provides cannot be made', async () => {
    const log: string[] = [];
    const plugin: Plugin = {
      ...taking(log, () => {}),
      provides: [Book],
      register: ({ bind }) =>
        void bind(Book).toDynamicValue(() => {
          throw new Error('no paper');
        }),
    } as Plugin;
    expect((await failing({ plugins: { plugin } })).message).toContain('no paper');
    expect(log).toEqual(['stop', 'second', 'first']);
  });

  test('is released although one release throws; the error is reported', async () => {
    const log: string[] = [];
    const plugin: Plugin = {
      name: 'taking',
      start({ defer }) {
        defer(() => void log.push('first'));
        defer(() => Promise.reject(new Error('stuck')));
        return { stop: () => Promise.reject(new Error('jammed')) };
      },
    };
    const kernel = await startKernel({ plugins: { plugin } });
    const { plugins } = await kernel.stop();
    expect(log).toEqual(['first']);
    expect(plugins[0]?.errors).toMatchObject([{ errors: [{ message: 'jammed' }, { message: 'stuck' }] }]);
  });

  test('after it was given up is released at once, and the plugin is stopped', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    const answer = Promise.withResolvers<void>();
    const late: Plugin = {
      name: 'late',
      startTimeoutMs: 1_000,
      async start({ defer }) {
        await answer.promise;
        defer(() => void log.push('connection'));
        return { stop: () => void log.push('stop') };
      },
    };
    const failed = failing({ clock, plugins: { late } });
    await clock.advance(2_000);
    await failed;
    expect(log).toEqual([]);
    answer.resolve();
    await new Promise(resolve => setImmediate(resolve));
    expect(log).toEqual(['connection', 'stop']);
  });

  test('too late and cannot be released is in the log', async () => {
    const clock = new FakeClock();
    const logger = new RecordingLogger();
    const answer = Promise.withResolvers<void>();
    const late: Plugin = {
      name: 'late',
      startTimeoutMs: 1_000,
      async start({ defer }) {
        await answer.promise;
        defer(() => Promise.reject(new Error('stuck')));
      },
    };
    const recording: Plugin = {
      name: 'recording',
      slot: 'logger',
      provides: [Logger],
      register: ({ bind }) => void bind(Logger).toConstantValue(logger),
    };
    const failed = failing({ clock, plugins: { logger: recording, late } });
    await clock.advance(2_000);
    await failed;
    answer.resolve();
    await new Promise(resolve => setImmediate(resolve));
    expect(logger.find('late resource release failed')?.facts).toMatchObject({
      plugin: 'late',
      error: { message: 'stuck' },
    });
  });

  test('is released before the plugin starts again, by each start its own resources', async () => {
    const clock = new FakeClock();
    const log: string[] = [];
    let starts = 0;
    const mail: Plugin = {
      name: 'mail',
      register: () => {
        log.push('register');
        return {
          start({ defer }) {
            const number = ++starts;
            log.push(`take ${number}`);
            defer(() => void log.push(`release ${number}`));
            if (number === 1) throw new Error('not yet');
          },
        };
      },
    };
    const overrides = { startup: { retryAfterMs: 1_000 }, plugins: { mail: { optional: true } } };
    const kernel = await startKernel({ clock, plugins: { mail }, overrides });
    await clock.advance(1_000);
    expect(log).toEqual(['register', 'take 1', 'release 1', 'register', 'take 2']);
    await kernel.stop();
    expect(log.slice(5)).toEqual(['release 2']);
  });
});

describe('a plugin that never started', () => {
  test('is not stopped, drained or asked', async () => {
    const log: string[] = [];
    const tell = (hook: string) => () => void log.push(hook);
    const waiting: Plugin = {
      name: 'waiting',
      requires: [Book],
      start: () => ({ ready: tell('ready'), drain: tell('drain'), stop: tell('stop') }),
    };
    const broken: Plugin = {
      name: 'broken',
      provides: [Book],
      register: ({ bind }) => void bind(Book).toConstantValue({ name: 'book' }),
      start: () => Promise.reject(new Error('no luck')),
    };
    await failing({ plugins: { waiting, broken } });
    expect(log).toEqual([]);
  });

  test('binds once, however often it is tried until what it requires is there', async () => {
    const clock = new FakeClock();
    let up = false;
    let registered = 0;
    const base: Plugin = {
      name: 'base',
      provides: [Book],
      register: ({ bind }) => void bind(Book).toConstantValue({ name: 'book' }),
      start: () => {
        if (!up) throw new Error('down');
      },
    };
    const above: Plugin = {
      name: 'above',
      requires: [Book],
      register: () => {
        registered++;
      },
    };
    const optional = { optional: true };
    const overrides = { startup: { retryAfterMs: 1_000 }, plugins: { base: optional, above: optional } };
    const kernel = await startKernel({ clock, random: () => 1, plugins: { base, above }, overrides });
    onTestFinished(() => void kernel.stop());
    await clock.advance(1_000);
    up = true;
    await clock.advance(10_000);
    const { plugins } = await kernel.status();
    expect(plugins.map(({ outcome }) => outcome)).toEqual(['started', 'started']);
    expect(registered).toBe(1);
  });
});

describe('a plugin whose hooks are at the wrong place', () => {
  const planned = async (plugin: object) => {
    const plugins = { mail: { name: 'mail', ...plugin } as Plugin };
    return (await Kernel.plan({ config: {}, variables: {}, plugins })).problems;
  };

  test.each(['ready', 'reconfigure', 'diagnose', 'inspect', 'drain', 'stop', 'operations'])(
    'as is %s on the plugin itself, is refused with a hint where to put it',
    async hook => {
      const problems = await planned({ [hook]: () => {} });
      expect(problems).toMatchObject([{ code: 'PLUGIN_INVALID' }]);
      expect(problems[0]?.message).toContain(`its ${hook} must be in the object that its start returns.`);
    },
  );

  test.each([
    ['instrument', { instrument: () => ({}), start: () => {} }, 'its start must be in that object'],
    [
      'instrument',
      { instrument: () => ({ register: 1 }) },
      'the register that its instrument returns is not a function',
    ],
    ['register', { register: () => ({}), start: () => {} }, 'its start must be in that object'],
    ['register', { register: () => ({ start: 1 }) }, 'the start that its register returns is not a function'],
    ['start', { start: () => ({ inspect: 1 }) }, 'its inspect is not a function'],
    ['start', { start: () => ({ operations: 1 }) }, 'its operations are not a map'],
    [
      'start',
      { start: () => ({ operations: { set: { run: () => 'done' } } }) },
      'its operation set needs `description`',
    ],
    ['start', { start: () => ({ diagnose: () => [] }) }, 'its manifest does not have `diagnoses: true`'],
  ])('in what its %s returns, fails its start: %o', async (_step, hooks, said) => {
    const { cause } = await failing({ plugins: { mail: { name: 'mail', ...hooks } as Plugin } });
    expect(cause).toMatchObject({ code: 'PLUGIN_INVALID', message: expect.stringContaining(said) });
  });

  test('is refused by its types', () => {
    // @ts-expect-error: a stop without a start
    definePlugin({ name: 'a', stop() {} });
    // @ts-expect-error: a stop beside a start
    definePlugin({ name: 'a', start() {}, stop() {} });
    // @ts-expect-error: a start beside a register that returns one
    definePlugin({ name: 'a', register: () => ({ start() {} }), start() {} });
    // @ts-expect-error: a register beside an instrument that returns one
    definePlugin({ name: 'a', instrument: () => ({ register() {} }), register() {} });
    // @ts-expect-error: a stop in what register returns
    definePlugin({ name: 'a', register: () => ({ stop() {} }) });
    expect(definePlugin({ name: 'a', register() {}, start: () => ({ stop() {} }) }).name).toBe('a');
  });
});
