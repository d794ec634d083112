import { inspect } from 'node:util';
import { KeelsonError } from '@keelson/core';
import { FakeClock, RecordingLogger } from '@keelson/core/testing';
import { scriptedDriver } from '@keelson/test-support/scripted-driver';
import { describe, expect, test } from 'vitest';
import { connectWithin } from './connect.js';

const failure = (code: string) => Object.assign(new Error('user secret at db.internal'), { code });

/** Attempts fail in turn; the one after the last succeeds. `forever` repeats the last. */
const setUp = (failures: readonly unknown[], options: { forever?: boolean; timeoutMs?: number } = {}) => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const stopping = new AbortController();
  const attemptedAt: number[] = [];
  const attempts: number[] = [];
  const driver = scriptedDriver({
    servers: ['a:5432', 'b:5432'],
    databaseName: 'shop',
    connect() {
      const index = attemptedAt.push(clock.now()) - 1;
      const known = index < failures.length || options.forever === true;
      return known ? Promise.reject(failures[Math.min(index, failures.length - 1)]) : Promise.resolve();
    },
  });
  const connected = connectWithin({
    driver,
    clock,
    logger,
    timeoutMs: options.timeoutMs ?? 10_000,
    signal: stopping.signal,
    onAttempt: attempt => attempts.push(attempt),
    random: () => 1,
  });
  connected.catch(() => {});
  return { clock, logger, stopping, attemptedAt, attempts, connected };
};

describe('connecting', () => {
  test('tries once when the database answers', async () => {
    const { connected, attempts, clock } = setUp([]);
    await connected;
    expect([attempts, clock.pending]).toEqual([[1], 0]);
  });

  test('tries again in growing pauses while the server starts', async () => {
    const failures = ['ENOTFOUND', 'ECONNREFUSED', '57P03', 'ECONNRESET', '53300', '57P03', '57P03'].map(failure);
    const { clock, logger, connected, attemptedAt, attempts } = setUp(failures);
    await clock.advance(10_000);
    await connected;
    expect(attemptedAt).toEqual([0, 100, 300, 700, 1_500, 3_100, 5_100, 7_100]);
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(logger.lines('warn').map(({ facts }) => facts.attempt)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(logger.lines('warn')[2]?.facts).toMatchObject({ sqlState: '57P03', delayMs: 400 });
    expect(clock.pending).toBe(0);
  });

  const refusals = [
    ['28P01', 'refused the password'],
    ['28000', 'refused the user by its pg_hba.conf'],
    ['3D000', 'does not exist'],
    ['42501', 'may not connect'],
    ['0A000', 'refused the connection'],
  ] as const;
  for (const [code, words] of refusals) {
    test(`fails at once, and says what to do, when the server ${words} (${code})`, async () => {
      const { connected, attempts, logger } = setUp([failure(code)]);
      const error = await connected.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'DATABASE_CONNECT_FAILED',
        message: expect.stringMatching(new RegExp(`^The database a:5432,b:5432/shop .*${words}`)),
        hint: expect.stringMatching(/\S/),
        facts: { sqlState: code, servers: ['a:5432', 'b:5432'], database: 'shop' },
        http: { status: 503 },
      });
      expect(inspect(error, { depth: 10 })).not.toContain('secret');
      expect([attempts, logger.lines()]).toEqual([[1], []]);
    });
  }

  test('fails at once in the words of the driver when it has some', async () => {
    const own = new KeelsonError({
      code: 'OWN_CODE',
      message: 'The folder is taken.',
      hint: 'Move it.',
      facts: { a: 1 },
    });
    const { connected, attempts } = setUp([own]);
    await expect(connected).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message: 'The folder is taken.',
      hint: 'Move it.',
      facts: { a: 1 },
      cause: own,
    });
    expect(attempts).toEqual([1]);
  });

  test('gives up when its time is over, and says how often it tried and what came last', async () => {
    const { clock, connected, attemptedAt } = setUp([failure('ECONNREFUSED')], { forever: true, timeoutMs: 1_000 });
    await clock.advance(1_000);
    await expect(connected).rejects.toMatchObject({
      code: 'DATABASE_CONNECT_FAILED',
      message:
        'The database a:5432,b:5432/shop accepted no connection within 1000 ms, 4 attempts (last: it refuses connections: nothing listens there, ECONNREFUSED).',
      facts: { attempts: 4, timeoutMs: 1_000, systemCode: 'ECONNREFUSED' },
    });
    expect(attemptedAt).toEqual([0, 100, 300, 700]);
    expect(clock.pending).toBe(0);
  });

  test('ends an attempt that gets no answer when its time is over', async () => {
    const clock = new FakeClock();
    const connected = connectWithin({
      driver: scriptedDriver({
        connect: signal =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () => reject(Object.assign(new Error('silent'), { code: 'ETIMEDOUT' }))),
          ),
      }),
      clock,
      logger: new RecordingLogger(),
      timeoutMs: 500,
      signal: new AbortController().signal,
      onAttempt: () => {},
    });
    const outcome = expect(connected).rejects.toMatchObject({ code: 'DATABASE_CONNECT_FAILED' });
    await clock.advance(500);
    await outcome;
  });

  test('is cancelled in the middle of a pause', async () => {
    const { clock, stopping, connected, attemptedAt } = setUp([failure('ECONNREFUSED')], { forever: true });
    await clock.advance(150);
    stopping.abort(new Error('stopping'));
    await expect(connected).rejects.toThrow('stopping');
    await clock.advance(10_000);
    expect(attemptedAt.length).toBe(2);
    expect(clock.pending).toBe(0);
  });
});
