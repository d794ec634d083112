import { Deadline, type ExecuteOptions, isKeelsonError, KeelsonError } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import type { RetryOptionsInput } from './options.js';
import { outcomeBy } from './outcome.fixture.js';

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
const boom = new Error('boom');
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

type PolicyInput = NonNullable<RetryOptionsInput['policies']>[string];

/** A breaker that never opens, so that the retry is seen alone, unless `policy` says otherwise. */
function build(policy: PolicyInput = {}, random = () => 0.999_999): OpossumRetryPolicy {
  const quiet = { breaker: { minimumCalls: 1_000, consecutiveFailures: 0 } };
  return new OpossumRetryPolicy({ options: { policies: { default: { ...quiet, ...policy } } }, clock, random });
}

/** Work that fails the first `failures` times; `at` says when it was tried. */
function failing(failures: number, error: unknown = boom) {
  const at: number[] = [];
  const work = async () => {
    at.push(Math.round(clock.now()));
    if (at.length <= failures) throw error;
    return 'done';
  };
  return { at, work };
}

const outcomeOf = (promise: Promise<unknown>, ms?: number) => outcomeBy(clock, promise, ms);

describe('retry', () => {
  test('gives the result of the first attempt that succeeds', async () => {
    const { work, at } = failing(2);
    expect(await outcomeOf(build().execute(work, call))).toMatchObject({ value: 'done' });
    expect(at).toHaveLength(3);
  });

  test('waits twice as long after each failure, up to the longest wait', async () => {
    const { work, at } = failing(5);
    await outcomeOf(build({ initialDelayMs: 100, maxDelayMs: 350 }).execute(work, call));
    expect(at).toEqual([0, 100, 300, 650, 1_000, 1_350]);
  });

  test('waits at least as long as the target asked for', async () => {
    const { work, at } = failing(1);
    const classify = () => ({ retry: true, availability: 'down', retryAfterMs: 5_000 }) as const;
    await outcomeOf(build().execute(work, { ...call, classify }));
    expect(at).toEqual([0, 5_000]);
  });

  test('throws the error untouched when the verdict forbids a retry', async () => {
    const { work, at } = failing(9);
    const classify = () => ({ retry: false, availability: 'up' }) as const;
    expect((await outcomeOf(build().execute(work, { ...call, classify }))).error).toBe(boom);
    expect(at).toHaveLength(1);
  });

  test('runs work that is not idempotent once, whatever the verdict says', async () => {
    const { work, at } = failing(9);
    const classify = () => ({ retry: true, availability: 'down' }) as const;
    const { error } = await outcomeOf(build().execute(work, { ...call, idempotent: false, classify }));
    expect(error).toBe(boom);
    expect(at).toHaveLength(1);
  });

  test('throws the error untouched when retries are turned off', async () => {
    expect((await outcomeOf(build({ maxAttempts: 1 }).execute(failing(9).work, call))).error).toBe(boom);
  });

  test('throws the error of the work unchanged when classify throws', async () => {
    const classify = () => {
      throw new Error('bad judge');
    };
    expect((await outcomeOf(build().execute(failing(9).work, { ...call, classify }))).error).toBe(boom);
  });

  test('does not repeat a mistake of the caller', async () => {
    const mistake = new KeelsonError({ code: 'ORDER_BAD', message: 'bad', http: { status: 422, title: 'Bad' } });
    const { work, at } = failing(9, mistake);
    expect((await outcomeOf(build().execute(work, call))).error).toBe(mistake);
    expect(at).toHaveLength(1);
  });

  test('takes work that throws or returns a plain value as if it rejected or resolved', async () => {
    let calls = 0;
    const work = (): Promise<number> => {
      if (++calls === 1) throw boom;
      return calls as unknown as Promise<number>;
    };
    expect(await outcomeOf(build().execute(work, call))).toMatchObject({ value: 2 });
  });

  test('RETRY_ATTEMPTS_EXHAUSTED says how many attempts, how long and why, with the last failure as cause', async () => {
    const { error } = await outcomeOf(build({ maxAttempts: 3, initialDelayMs: 100 }).execute(failing(9).work, call));
    expect(error).toMatchObject({
      code: 'RETRY_ATTEMPTS_EXHAUSTED',
      message: 'database.session ended after 3 attempts in 300 ms: the policy allows no further attempt.',
      facts: { operation: 'database.session', target: 'database', attempts: 3, elapsedMs: 300 },
      http: { status: 503 },
      cause: boom,
    });
  });

  test('reports each further attempt before it starts, and survives a listener that throws', async () => {
    const reported: unknown[] = [];
    const { work } = failing(2);
    const onRetry = (event: object) => {
      reported.push(event);
      throw new Error('bad listener');
    };
    const { value } = await outcomeOf(build({ initialDelayMs: 100 }, () => 0.5).execute(work, { ...call, onRetry }));
    expect(value).toBe('done');
    expect(reported).toEqual([
      { attempt: 2, delayMs: 50, error: boom },
      { attempt: 3, delayMs: 100, error: boom },
    ]);
  });
});

describe('deadline', () => {
  test('RETRY_DEADLINE_EXCEEDED at once, without an attempt, when it has passed', async () => {
    const { work, at } = failing(0);
    const { error } = await outcomeOf(build().execute(work, { ...call, deadline: Deadline.after(0, clock) }));
    expect(error).toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', facts: { attempts: 0 }, http: { status: 503 } });
    expect(at).toEqual([]);
  });

  test('ends an attempt when it passes, and aborts its signal', async () => {
    let seen: AbortSignal | undefined;
    const running = build().execute(
      attempt => {
        seen = attempt.signal;
        return new Promise(() => {});
      },
      { ...call, deadline: Deadline.after(700, clock) },
    );
    const { error, atMs } = await outcomeOf(running);
    expect(error).toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', facts: { attempts: 1, elapsedMs: 700 } });
    expect(atMs).toBe(700);
    expect(seen?.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('ends a call at once whose next pause it does not leave time for', async () => {
    const { work } = failing(9);
    const running = build({ initialDelayMs: 1_000 }).execute(work, { ...call, deadline: Deadline.after(900, clock) });
    const { error, atMs } = await outcomeOf(running);
    expect(error).toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', cause: boom });
    expect(atMs).toBe(0);
  });

  test('is the policy’s own when the caller sets none, and attempts see it', async () => {
    let remainingMs = 0;
    await build({ deadlineMs: 4_000 }).execute(async attempt => {
      remainingMs = attempt.deadline.remainingMs();
    }, call);
    expect(remainingMs).toBe(4_000);
  });
});

describe('attempt timeout', () => {
  test('aborts the signal of that attempt alone and tries again', async () => {
    const signals: AbortSignal[] = [];
    const running = build({ attemptTimeoutMs: 100 }).execute(attempt => {
      signals.push(attempt.signal);
      if (attempt.number === 2) return Promise.resolve('done');
      return new Promise((_, reject) => attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason)));
    }, call);
    expect(await outcomeOf(running)).toMatchObject({ value: 'done' });
    expect(signals.map(signal => signal.aborted)).toEqual([true, false]);
    expect(signals[0]?.reason).toMatchObject({ code: 'RETRY_ATTEMPT_TIMEOUT', facts: { timeoutMs: 100 } });
  });

  test('takes the result of work that ends well while it is being cancelled', async () => {
    const work = () => clock.sleep(150).then(() => 'committed');
    expect(await outcomeOf(build({ attemptTimeoutMs: 100 }).execute(work, call))).toMatchObject({ value: 'committed' });
  });

  test('RETRY_ATTEMPT_TIMEOUT when work that may not be repeated ignores the signal', async () => {
    const work = () => new Promise(() => {});
    const policy = build({ attemptTimeoutMs: 100, cancelGraceMs: 50 });
    const { error, atMs } = await outcomeOf(policy.execute(work, { ...call, idempotent: false }));
    expect(error).toMatchObject({ code: 'RETRY_ATTEMPT_TIMEOUT', http: { status: 503 } });
    expect(atMs).toBe(150);
    expect(clock.pending).toBe(0);
  });

  test('is the caller’s when the caller sets one', async () => {
    const work = () => clock.sleep(20_000).then(() => 'slow');
    const options = { ...call, attemptTimeoutMs: Number.POSITIVE_INFINITY };
    expect(await outcomeOf(build({ cancelGraceMs: 0 }).execute(work, options))).toMatchObject({ value: 'slow' });
  });

  test('a signal first read after it has fired is aborted already', async () => {
    let late: AbortSignal | undefined;
    const running = build({ attemptTimeoutMs: 100 }).execute(async attempt => {
      await clock.sleep(150);
      late = attempt.signal;
    }, call);
    await outcomeOf(running);
    expect(late?.aborted).toBe(true);
  });
});

describe('signal of the caller', () => {
  const gone = new Error('the client went away');

  test('ends a call before its first attempt', async () => {
    const { work, at } = failing(0);
    const { error } = await outcomeOf(build().execute(work, { ...call, signal: AbortSignal.abort(gone) }));
    expect(error).toBe(gone);
    expect(at).toEqual([]);
  });

  test('ends a running attempt at once and aborts its signal, and nothing is left behind', async () => {
    const controller = new AbortController();
    let inner: AbortSignal | undefined;
    const running = build().execute(
      attempt => {
        inner = attempt.signal;
        return new Promise(() => {});
      },
      { ...call, signal: controller.signal },
    );
    clock.schedule(10, () => controller.abort(gone));
    const { error, atMs } = await outcomeOf(running);
    expect(error).toBe(gone);
    expect(atMs).toBe(10);
    expect(inner?.reason).toBe(gone);
    expect(clock.pending).toBe(0);
  });

  test('ends a pause between two attempts at once, and nothing is left behind', async () => {
    const controller = new AbortController();
    const { work, at } = failing(9);
    const running = build({ initialDelayMs: 1_000 }).execute(work, { ...call, signal: controller.signal });
    clock.schedule(10, () => controller.abort(gone));
    expect(await outcomeOf(running)).toMatchObject({ error: gone, atMs: 10 });
    expect(at).toEqual([0]);
    expect(clock.pending).toBe(0);
  });

  test('ends a call whose pause is just over, before its next attempt, and pays nothing for it', async () => {
    const controller = new AbortController();
    class GivingUp extends FakeClock {
      override schedule(ms: number, callback: () => void) {
        return super.schedule(ms, () => {
          callback();
          if (ms === 999) controller.abort(gone);
        });
      }
    }
    clock = new GivingUp();
    const { work, at } = failing(9);
    const policy = build({ initialDelayMs: 999, attemptTimeoutMs: 0, deadlineMs: 0 }, () => 1);
    const running = policy.execute(work, { ...call, signal: controller.signal });
    expect(await outcomeOf(running)).toMatchObject({ error: gone, atMs: 999 });
    expect(at).toEqual([0]);
    expect(policy.describe()[0]).toMatchObject({ counters: { retries: 0 } });
  });
});

describe('budget', () => {
  test('RETRY_BUDGET_EXHAUSTED once retries would add more than their share', async () => {
    const policy = build({ budget: { share: 0.2, floorPerSecond: 0 }, maxAttempts: 2 });
    const results = Array.from({ length: 20 }, () => policy.execute(failing(9).work, call).catch(error => error.code));
    await clock.advance(1_000);
    const codes = await Promise.all(results);
    expect(codes.filter(code => code === 'RETRY_ATTEMPTS_EXHAUSTED')).toHaveLength(4);
    expect(codes.filter(code => code === 'RETRY_BUDGET_EXHAUSTED')).toHaveLength(16);
  });
});

describe('stop', () => {
  test('RETRY_STOPPED ends waits and refuses calls, and leaves no timer', async () => {
    const policy = build({ initialDelayMs: 1_000 });
    const running = policy.execute(failing(9).work, call).catch(error => error);
    await clock.advance(10);
    policy.stop();
    expect(clock.pending).toBe(0);
    expect(await running).toMatchObject({ code: 'RETRY_STOPPED', cause: boom, facts: { attempts: 1 } });
    await expect(policy.execute(failing(0).work, call)).rejects.toMatchObject({ code: 'RETRY_STOPPED' });
  });
});

test('RETRY_STOPPED ends a call whose attempt fails after the stop', async () => {
  const policy = build();
  const running = policy.execute(() => clock.sleep(100).then(() => Promise.reject(boom)), call);
  policy.stop();
  expect((await outcomeOf(running)).error).toMatchObject({ code: 'RETRY_STOPPED', cause: boom });
});

describe('options', () => {
  test('RETRY_OPTIONS_INVALID names every problem', () => {
    const options = { policies: { default: { maxAttempts: 0, typo: 1 } }, targets: { database: 'pateint' } };
    const build = () => new OpossumRetryPolicy({ options: options as RetryOptionsInput });
    expect(build).toThrow(/maxAttempts.*typo/s);
    try {
      build();
    } catch (error) {
      expect(isKeelsonError(error, 'RETRY_OPTIONS_INVALID')).toBe(true);
    }
  });

  test('an unknown policy of a target is named together with those there are', () => {
    const options = { policies: { patient: {} }, targets: { database: 'pateint' } };
    expect(() => new OpossumRetryPolicy({ options })).toThrow(/targets.database: there is no policy.*default, patient/);
  });

  test('a target that is not named has the policy of what it is a part of', async () => {
    const policies = { patient: { deadlineMs: 5_000 }, own: { deadlineMs: 9_000 } };
    const targets = { database: 'patient', 'database.own': 'own' };
    const policy = new OpossumRetryPolicy({ options: { policies, targets }, clock });
    const deadlineOf = (target: string) =>
      policy.execute(async ({ deadline }) => deadline.remainingMs(), { ...call, target });
    expect(await deadlineOf('database.replica')).toBe(5_000);
    expect(await deadlineOf('database.own')).toBe(9_000);
    expect(await deadlineOf('data')).toBe(30_000);
  });

  test('the caller’s object is left as it was', () => {
    const options: RetryOptionsInput = { policies: { default: { maxAttempts: 2 } } };
    const before = structuredClone(options);
    new OpossumRetryPolicy({ options: Object.freeze(options) });
    expect(options).toEqual(before);
  });
});
