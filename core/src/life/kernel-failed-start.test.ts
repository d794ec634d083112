import { describe, expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { FakeClock } from '../testing/fake-clock.js';
import type { Kernel } from './kernel.js';
import { formatStartReport } from './report.js';
import { Book, bindBook, book, failing, Store, telling } from './start.fixture.js';

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
    expect(error.message).toMatch(/ {2}a: TEST_REFUSED {2}The port is taken\. \(in start, after \d+ ms\)$/m);
    expect(error.message).toMatch(/ {2}b: no answer \(in start, after \d+ ms\)$/m);
    expect(error.message).toContain('not tried: c');
    expect(error.hint).toBe('Choose another.');
    expect(error.cause).toMatchObject({ errors: [refused, { message: 'no answer' }] });
    expect(log).toEqual(['a.register', 'c.register', 'base.start', 'a.stop', 'b.stop', 'base.stop']);
  });

  test('has a start report that says it all', async () => {
    const error = await failing({
      plugins: {
        book: book({ start: throwing(refused) }),
        orders: { name: 'orders', requires: [Book] },
      },
    });
    const { report } = error as unknown as { report: Kernel['report'] };
    expect(report.outcome).toBe('failed');
    const text = formatStartReport(report)
      .replaceAll(/ +/g, ' ')
      .replaceAll(/\d+ ms/g, 'N ms');
    expect(text).toBe(
      [
        'test did not start: 1 of 2 plugins failed after N ms',
        '├── (plan) N ms configuration and manifests',
        '├── book N ms TEST_REFUSED The port is taken.',
        '└── orders not tried: needs book',
      ].join('\n'),
    );
  });

  test('in a register leaves nothing of that plugin bound, and starts no plugin', async () => {
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

  test('at its first hook that throws a value that is not an error still names the value', async () => {
    expect((await failing({ plugins: { a: { name: 'a', start: throwing('odd') } } })).message).toContain('a: odd');
  });
});

describe('a start that is cancelled', () => {
  test('aborts the signal of the starting plugin, stops the started ones and starts no further plugin', async () => {
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

  test('before it began starts no plugin', async () => {
    const log: string[] = [];
    const error = await failing({ signal: AbortSignal.abort('SIGINT'), plugins: { a: telling(log, 'a') } });
    expect(error.code).toBe('KERNEL_START_CANCELLED');
    expect(log).toEqual([]);
  });
});
