import { type Clock, Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import type { TransactionOutcome } from '../driver/driver.js';
import type { CommitProofName } from '../proof/choices.js';
import type { CommitProof } from '../proof/commit-proof.js';
import { CommitResolver } from './commit-resolver.js';

type Answer = TransactionOutcome | 'no answer' | 'silence';

/** Answers in turn, the last one again and again; `silence` never answers by itself. Without answers there is no proof. */
const setUp = (...answers: readonly Answer[]) => setUpWith('transaction-id', ...answers);

const setUpWith = (name: CommitProofName, ...answers: readonly Answer[]) => setUpProof(name, true, answers);

const setUpProof = (name: CommitProofName, isWhole: boolean, answers: readonly Answer[]) => {
  const clock = new FakeClock();
  const closing = new AbortController();
  const asked: string[] = [];
  const proof: CommitProof = {
    name: answers.length === 0 ? 'none' : name,
    isWhole,
    mark: () => undefined,
    outcome(id, signal) {
      const answer = answers[Math.min(asked.push(id), answers.length) - 1];
      if (answer === 'no answer' || answer === undefined) return Promise.reject(new Error('not now'));
      if (answer !== 'silence') return Promise.resolve(answer);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
  const counted: string[] = [];
  const resolver = new CommitResolver(proof, clock, closing.signal, (...what) => counted.push(what.join(' ')));
  const resolve = (id: string | undefined, verifyCommitted?: () => Promise<boolean>, timeoutMs = 1_000) =>
    resolver.resolve(id, Deadline.after(timeoutMs, clock), verifyCommitted);
  return { clock, closing, asked, counted, resolve };
};

describe('the outcome of an unanswered COMMIT', () => {
  test('is what the server says', async () => {
    const { asked, resolve } = setUp('committed');
    expect(await resolve('42')).toEqual({ is: 'committed' });
    expect(await setUp('aborted').resolve('42')).toEqual({ is: 'aborted' });
    expect(asked).toEqual(['42']);
  });

  test('stays unknown when the transaction has no id, unless its caller has a proof of its own', async () => {
    const { asked, resolve } = setUp('committed');
    expect(await resolve(undefined)).toEqual({ is: 'unknown', why: 'the transaction has no id' });
    expect(await resolve(undefined, async () => false)).toEqual({ is: 'aborted' });
    expect(asked).toEqual([]);
  });

  test('is asked again while the server starts, or the old connection still ends', async () => {
    const { clock, asked, resolve } = setUp('no answer', 'in progress', 'in progress', 'committed');
    const resolution = resolve('42');
    await clock.advance(150);
    expect(await resolution).toEqual({ is: 'committed' });
    expect([asked.length, clock.pending]).toEqual([4, 0]);
  });

  test('is asked again after 2, 4 and 8 seconds without an answer: the connection may be dead', async () => {
    const { clock, asked, resolve } = setUp('silence', 'silence', 'silence', 'committed');
    const resolution = resolve('42', undefined, 20_000);
    await clock.advance(1_999);
    expect(asked.length).toBe(1);
    await clock.advance(1 + 50);
    expect(asked.length).toBe(2);
    await clock.advance(4_000 + 50);
    expect(asked.length).toBe(3);
    await clock.advance(8_000 + 50);
    expect(await resolution).toEqual({ is: 'committed' });
    expect([asked.length, clock.pending]).toEqual([4, 0]);
  });

  test('is waited for as long at first when the server has refused many queries before', async () => {
    const refused = Array.from({ length: 10 }, () => 'no answer' as const);
    const { clock, asked, resolve } = setUp(...refused, 'silence', 'committed');
    const resolution = resolve('42', undefined, 20_000);
    await clock.advance(10 * 50 + 2_000 + 50);
    expect(await resolution).toEqual({ is: 'committed' });
    expect(asked.length).toBe(12);
  });

  test('stays unknown when the server does not know it any more', async () => {
    const { resolve } = setUp('unknown');
    expect(await resolve('42')).toEqual({ is: 'unknown', why: 'the database no longer knows the transaction' });
  });

  test('stays unknown when the deadline comes first, and says how it stood', async () => {
    for (const [answer, why] of [
      ['no answer', 'the database did not answer within the deadline'],
      ['silence', 'the database did not answer within the deadline'],
      ['in progress', 'the transaction was still in progress at the deadline'],
    ] as const) {
      const { clock, resolve } = setUp(answer);
      const resolution = resolve('42');
      await clock.advance(1_000);
      expect(await resolution).toEqual({ is: 'unknown', why });
      expect(clock.pending).toBe(0);
    }
  });

  test('is not asked again when the timer of the deadline fires early, as timers of Node do', async () => {
    const fake = new FakeClock();
    const clock: Clock = {
      now: () => fake.now(),
      date: () => fake.date(),
      sleep: (ms, signal) => fake.sleep(ms, signal),
      schedule: (ms, callback) => fake.schedule(ms - 0.5, callback),
    };
    let asked = 0;
    const proof: CommitProof = {
      name: 'transaction-id',
      isWhole: true,
      mark: () => undefined,
      outcome: async (_key, signal) => {
        asked += 1;
        // Ends a loop that would not end.
        if (asked > 100) return 'committed';
        return new Promise((_, reject) => {
          if (signal.aborted) reject(signal.reason);
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    };
    const resolver = new CommitResolver(proof, clock, new AbortController().signal);
    const resolution = resolver.resolve('42', Deadline.after(1_000, clock), undefined);
    await fake.advance(999.5);
    expect(await resolution).toMatchObject({ is: 'unknown' });
    expect(asked).toBe(1);
  });

  test('is looked for no longer than half a minute by a session without a deadline', async () => {
    const { clock, resolve } = setUp('no answer');
    const resolution = resolve('42', undefined, Number.POSITIVE_INFINITY);
    await clock.advance(30_000);
    expect(await resolution).toMatchObject({ is: 'unknown' });
  });

  test('stays unknown when the service closes first, and no further query is sent', async () => {
    for (const answer of ['silence', 'no answer', 'in progress'] as const) {
      const { clock, closing, asked, resolve } = setUp(answer);
      const resolution = resolve('42');
      await clock.advance(20);
      closing.abort();
      await clock.advance(1);
      const before = asked.length;
      expect(await resolution).toEqual({ is: 'unknown', why: 'the database service was closed before the answer' });
      await clock.advance(5_000);
      expect({ asked: asked.length, pending: clock.pending }).toEqual({ asked: before, pending: 0 });
    }
  });

  test('is not that nothing is stored, where another server commits its part before', async () => {
    for (const proof of ['transaction-id', 'token'] as const) {
      const why =
        'the database reports that the transaction was aborted, but may have stored a part of it on another server';
      expect(await setUpProof(proof, false, ['aborted']).resolve('42')).toEqual({ is: 'unknown', why });
      expect(await setUpProof(proof, false, ['committed']).resolve('42')).toEqual({ is: 'committed' });
    }
  });

  test('is counted, with the proof that was asked', async () => {
    const { counted, resolve } = setUpWith('token', 'committed');
    await resolve('42');
    await resolve(undefined);
    expect(counted).toEqual(['token committed', 'token unknown']);
  });

  test('stays unknown when its token was not written, or may be deleted', async () => {
    const { resolve } = setUpWith('token', 'unknown');
    expect(await resolve(undefined)).toEqual({ is: 'unknown', why: 'the transaction has written no token' });
    expect(await resolve('42')).toEqual({ is: 'unknown', why: 'its token may be deleted already' });
  });

  test('stays unknown without a proof', async () => {
    const { resolve } = setUp();
    const why = 'no proof is kept of its commits';
    expect(await resolve('42')).toEqual({ is: 'unknown', why });
    expect(await resolve(undefined)).toEqual({ is: 'unknown', why });
  });
});

describe('the proof of the service itself', () => {
  test('is asked for when the server has no answer', async () => {
    expect(await setUp('unknown').resolve('42', async () => true)).toEqual({ is: 'committed' });
    expect(await setUp('unknown').resolve('42', async () => false)).toEqual({ is: 'aborted' });
    expect(await setUp().resolve(undefined, async () => true)).toEqual({ is: 'committed' });
  });

  test('is asked for while there is time left for it', async () => {
    const { clock, resolve } = setUp('silence');
    let askedAt: number | undefined;
    const resolution = resolve('42', async () => {
      askedAt = clock.now();
      return true;
    });
    await clock.advance(1_000);
    expect(await resolution).toEqual({ is: 'committed' });
    expect(askedAt).toBe(500);
  });

  test('is not waited for after the deadline, and not asked for then', async () => {
    const { clock, resolve } = setUp('unknown');
    const resolution = resolve('42', () => new Promise(() => {}));
    await clock.advance(1_000);
    expect(await resolution).toEqual({ is: 'unknown', why: 'verifyCommitted had not returned by the deadline' });
    const late = setUp('unknown').resolve('42', () => Promise.reject(new Error('asked all the same')), 0);
    expect(await late).toMatchObject({ is: 'unknown', why: 'the database did not answer within the deadline' });
    expect(clock.pending).toBe(0);
  });

  test('is not asked for when the server has answered', async () => {
    const verify = () => Promise.reject(new Error('asked all the same'));
    expect(await setUp('aborted').resolve('42', verify)).toEqual({ is: 'aborted' });
  });

  test('that fails leaves it unknown', async () => {
    const verify = () => Promise.reject(new Error('away too'));
    expect(await setUp('unknown').resolve('42', verify)).toEqual({
      is: 'unknown',
      why: 'verifyCommitted failed as well',
    });
  });
});
