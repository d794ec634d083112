import { AssertionError, deepEqual, equal, ok, strictEqual } from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import { currentContext, runWithContext } from '../contract/context.js';
import { Deadline } from '../contract/deadline.js';
import { isKeelsonError, type KeelsonError } from '../contract/keelson-error.js';
import type { Attempt, ExecuteOptions, FailureVerdict, RetryPolicy } from '../contract/slots/retry-policy.js';
import type { FakeClock } from './fake-clock.js';

/** A fresh policy for one case. */
export interface RetryPolicyHarness {
  /** Lives on `clock` alone. */
  readonly policy: RetryPolicy;
  readonly clock: FakeClock;
  /** The most attempts it makes for one call; 1 for a policy that never repeats. */
  readonly maxAttempts: number;
  /** Failed calls in a row after which it keeps calls away from their target; left out when it never does. */
  readonly opensAfter?: number;
  close?(): void | Promise<void>;
}

const call: ExecuteOptions = { name: 'conformance.call', idempotent: true };
const boom = new Error('boom');
/** Longer than any policy pauses or waits. */
const longMs = 10 * 60_000;

const conflict = verdict(true, { conflict: true });
const pause = verdict(true, { retryAfterMs: 5_000 });

/** What every retry policy must do, ours or another's. */
export function retryPolicyConformance(
  createHarness: () => RetryPolicyHarness | Promise<RetryPolicyHarness>,
): ConformanceCase[] {
  const when = (needs: string, applies: (harness: RetryPolicyHarness) => boolean) =>
    casesOf(createHarness, needs, applies);
  const always = when('nothing', () => true);
  const repeating = when('a policy that repeats', ({ maxAttempts }) => maxAttempts > 1);
  const guarding = when('a policy with a breaker', ({ opensAfter }) => opensAfter !== undefined);
  const waiting = when(
    'a policy that repeats and can end its waits',
    ({ maxAttempts, policy }) => maxAttempts > 1 && policy.endWaits !== undefined,
  );

  return [
    always('passes the attempt to the work, and returns its result', async ({ policy, clock }) => {
      const deadline = Deadline.after(5_000, clock);
      const seen = await policy.execute(async attempt => attempt, { ...call, deadline });
      equal(seen.number, 1);
      equal(seen.signal.aborted, false);
      equal(seen.deadline.remainingMs(), 5_000);
      equal(clock.pending, 0, 'no timer is left behind');
    }),
    always('returns to each call its own result when many run at once', async ({ policy }) => {
      const numbers = Array.from({ length: 100 }, (_, index) => index);
      deepEqual(await Promise.all(numbers.map(number => policy.execute(async () => number, call))), numbers);
    }),
    always('runs the work in the context of the caller', async harness => {
      const contexts: unknown[] = [];
      const work = failing(harness.maxAttempts - 1, () => contexts.push(currentContext().requestId));
      const execute = () => harness.policy.execute(work.run, { ...call, classify: verdict(true) });
      await within(harness, runWithContext({ requestId: 'request-1' }, execute));
      equal(contexts.length, harness.maxAttempts);
      deepEqual(new Set(contexts), new Set(['request-1']));
    }),
    always('treats work that throws like work that rejects', async harness => {
      const throwing = () => {
        throw boom;
      };
      strictEqual(await failureOf(harness, throwing, { idempotent: false }), boom);
    }),
    repeating('repeats after conflicts more often than after other failures, and opens no breaker', async harness => {
      const work = failing(harness.maxAttempts + (harness.opensAfter ?? 0) + 20);
      await resultOf(harness, work.run, { classify: conflict, deadline: Deadline.after(longMs, harness.clock) });
      equal(await resultOf(harness, async () => 'next'), 'next');
    }),
    repeating('lets calls that met a conflict take turns', async harness => {
      let running = 0;
      let most = 0;
      const conflicting = () => {
        let attempts = 0;
        const run = async (): Promise<string> => {
          if (++attempts === 1) throw boom;
          most = Math.max(most, ++running);
          await harness.clock.sleep(50);
          running--;
          return 'done';
        };
        return harness.policy.execute(run, { ...call, classify: conflict });
      };
      await within(harness, Promise.all([conflicting(), conflicting(), conflicting()]));
      equal(most, 1, 'one conflicted call runs at a time');
    }),
    always('runs work once when it must not be repeated, whatever the verdict', async harness => {
      const work = failing(longMs);
      strictEqual(await failureOf(harness, work.run, { idempotent: false, classify: verdict(true) }), boom);
      equal(work.attempts.length, 1);
    }),
    always('throws the error as it is when the verdict forbids a further attempt', async harness => {
      const work = failing(longMs);
      strictEqual(await failureOf(harness, work.run, { classify: verdict(false) }), boom);
      equal(work.attempts.length, 1);
    }),
    always('throws the error of the work unchanged when classify throws', async harness => {
      const classify = () => {
        throw new Error('of the judge');
      };
      strictEqual(await failureOf(harness, failing(longMs).run, { classify }), boom);
    }),
    always('makes no attempt for a call whose deadline has passed', async harness => {
      const work = failing(0);
      const deadline = Deadline.after(0, harness.clock);
      refusal(await failureOf(harness, work.run, { deadline }));
      equal(work.attempts.length, 0);
    }),
    always(
      'ends a call at its deadline, aborts its attempt, and leaves no later rejection unhandled',
      async harness => {
        const { policy, clock } = harness;
        const attempts: Attempt[] = [];
        const late = (attempt: Attempt) => {
          attempts.push(attempt);
          return clock.sleep(longMs / 2).then(() => Promise.reject(boom));
        };
        const strays = await unhandledWhile(async () => {
          const running = policy.execute(late, { ...call, deadline: Deadline.after(700, clock) });
          const { error, atMs } = await endOf(harness, running);
          refusal(error);
          equal(atMs, 700, 'it ended at its deadline');
        });
        equal(attempts.at(-1)?.signal.aborted, true);
        deepEqual(strays, [], 'no rejection goes unhandled');
      },
    ),
    always('ends a call before its first attempt when its caller has given up', async harness => {
      const work = failing(0);
      const signal = AbortSignal.abort(boom);
      strictEqual(await failureOf(harness, work.run, { signal }), boom);
      equal(work.attempts.length, 0);
    }),
    always('ends an attempt as soon as its caller gives up, and aborts its signal', async harness => {
      const { policy, clock } = harness;
      const controller = new AbortController();
      let seen: AbortSignal | undefined;
      const work = (attempt: Attempt) => {
        seen = attempt.signal;
        return new Promise<never>(() => {});
      };
      clock.schedule(10, () => controller.abort(boom));
      const { error, atMs } = await endOf(harness, policy.execute(work, { ...call, signal: controller.signal }));
      strictEqual(error, boom);
      equal(atMs, 10);
      equal(seen?.aborted, true);
      equal(clock.pending, 0, 'no timer is left behind');
    }),
    always('leaves neither a timer nor a listener behind', async harness => {
      const { signal } = new AbortController();
      const deadline = Deadline.after(longMs, harness.clock);
      await resultOf(harness, failing(harness.maxAttempts - 1).run, { signal, deadline, classify: verdict(true) });
      equal(harness.clock.pending, 0, 'no timer after a success');
      await failureOf(harness, failing(longMs).run, { signal, deadline, classify: verdict(false) });
      equal(harness.clock.pending, 0, 'no timer after a failure');
      equal(getEventListeners(signal, 'abort').length, 0, 'no listener');
    }),

    repeating('repeats the work until it succeeds, and numbers the attempts', async harness => {
      const work = failing(1);
      equal(await resultOf(harness, work.run, { classify: verdict(true) }), 'done');
      deepEqual(
        work.attempts.map(({ number }) => number),
        [1, 2],
      );
    }),
    repeating('repeats by default what may run more than once', async harness => {
      equal(await resultOf(harness, failing(1).run), 'done');
    }),
    repeating('says at the end how many attempts were made, with the last failure as cause', async harness => {
      const work = failing(longMs);
      const given = refusal(await failureOf(harness, work.run, { classify: verdict(true) }));
      strictEqual(given.cause, boom);
      equal(given.facts.attempts, work.attempts.length);
      equal(work.attempts.length, harness.maxAttempts);
    }),
    repeating('gives each attempt a signal of its own', async harness => {
      const work = failing(1);
      await resultOf(harness, work.run, { classify: verdict(true) });
      const [first, second] = work.attempts;
      ok(first?.signal !== second?.signal);
      equal(second?.signal.aborted, false);
    }),
    repeating('pauses for as long as the target asks', async harness => {
      const times: number[] = [];
      const work = failing(1, () => times.push(harness.clock.now()));
      await resultOf(harness, work.run, { classify: pause });
      ok((times[1] ?? 0) >= 5_000, `the second attempt came after ${times[1]} ms`);
    }),
    repeating('begins a pause only when it ends before the deadline', async harness => {
      const deadline = Deadline.after(4_000, harness.clock);
      const running = harness.policy.execute(failing(1).run, { ...call, classify: pause, deadline });
      const { error, atMs } = await endOf(harness, running);
      strictEqual(refusal(error).cause, boom);
      equal(atMs, 0, 'it ended at once');
    }),
    repeating('ends a pause as soon as the caller gives up', async harness => {
      const controller = new AbortController();
      const gone = new Error('gone');
      const work = failing(longMs);
      harness.clock.schedule(10, () => controller.abort(gone));
      const options = { ...call, classify: pause, signal: controller.signal };
      const { error, atMs } = await endOf(harness, harness.policy.execute(work.run, options));
      strictEqual(error, gone);
      equal(atMs, 10);
      equal(work.attempts.length, 1);
      equal(harness.clock.pending, 0, 'no timer is left behind');
    }),
    repeating('calls onRetry before each further attempt', async harness => {
      const told: string[] = [];
      const work = failing(1, attempt => told.push(`attempt ${attempt.number}`));
      const onRetry: NonNullable<ExecuteOptions['onRetry']> = ({ attempt, delayMs, error }) => {
        ok(delayMs >= 0);
        strictEqual(error, boom);
        told.push(`retry ${attempt}`);
      };
      await resultOf(harness, work.run, { classify: verdict(true), onRetry });
      deepEqual(told, ['attempt 1', 'retry 2', 'attempt 2']);
    }),

    guarding('keeps calls away from a target that is down, and says when to come back', async harness => {
      const work = failing(longMs);
      const failures = await fail(harness, 'down', work.run);
      const attempts = work.attempts.length;
      ok(failures.every(error => error === boom));
      const given = refusal(await failureOf(harness, work.run, impatient(harness)));
      equal(work.attempts.length, attempts, 'the target saw no further attempt');
      ok((given.http?.retryAfterMs ?? 0) > 0, 'the refusal says when to come back');
    }),
    guarding('goes on calling other targets', async harness => {
      await fail(harness, 'down');
      equal(await harness.policy.execute(async () => 'done', { ...call, name: 'other.call' }), 'done');
      equal(await harness.policy.execute(async () => 'done', { ...call, target: 'another' }), 'done');
    }),
    guarding('continues to call a target when its failures do not prove that it is down', async harness => {
      await fail(harness, 'up');
      await fail(harness, 'unknown');
      equal(await harness.policy.execute(async () => 'done', { ...call, ...impatient(harness) }), 'done');
    }),
    waiting('ends all waits for one target on request, and still accepts calls to it', async harness => {
      const { policy, clock } = harness;
      const reason = new Error('no more waiting');
      const work = failing(1);
      const pauses = policy.execute(work.run, { ...call, classify: verdict(true) });
      const settled = pauses.then(String, (error: unknown) => error);
      await clock.advance(0);
      policy.endWaits?.('another', new Error('not meant'));
      policy.endWaits?.('conformance', reason);
      strictEqual(await settled, reason);
      equal(work.attempts.length, 1);
      equal(clock.pending, 0, 'no timer is left behind');
      const next = failing(1);
      equal(await resultOf(harness, next.run, { classify: verdict(true) }), 'done');
    }),
    guarding('calls a target again that has come back', async harness => {
      await fail(harness, 'down');
      await harness.clock.advance(longMs);
      equal(await resultOf(harness, async () => 'done'), 'done');
    }),
  ];
}

/** Work that fails the first `failures` times, and the attempts it was given. */
function failing(failures: number, onAttempt: (attempt: Attempt) => void = () => {}) {
  const attempts: Attempt[] = [];
  const run = async (attempt: Attempt): Promise<string> => {
    attempts.push(attempt);
    onAttempt(attempt);
    if (attempts.length <= failures) throw boom;
    return 'done';
  };
  return { attempts, run };
}

/** A verdict that says nothing against the target, so that no breaker takes part. */
function verdict(retry: boolean, more: Partial<FailureVerdict> = {}): () => FailureVerdict {
  return () => ({ retry, availability: 'up', ...more });
}

/** As many failed calls as open the breaker, one attempt each. */
async function fail(
  harness: RetryPolicyHarness,
  availability: FailureVerdict['availability'],
  work: Work = failing(longMs).run,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  const options: ExecuteOptions = { ...call, idempotent: false, classify: () => ({ retry: false, availability }) };
  for (let count = 0; count < (harness.opensAfter ?? 0); count++) {
    errors.push(await harness.policy.execute(work, options).catch((error: unknown) => error));
  }
  return errors;
}

/** The options of a call with no time to wait for a target. */
function impatient({ clock }: RetryPolicyHarness): Partial<ExecuteOptions> {
  return { deadline: Deadline.after(1, clock) };
}

interface End {
  readonly value?: unknown;
  readonly error?: unknown;
  readonly atMs: number;
}

/** How and when `running` ends while the clock is pushed. */
async function endOf({ clock }: RetryPolicyHarness, running: Promise<unknown>): Promise<End> {
  let end: End | undefined;
  running.then(
    value => {
      end = { value, atMs: clock.now() };
    },
    (error: unknown) => {
      end = { error, atMs: clock.now() };
    },
  );
  await clock.advance(longMs);
  if (end === undefined) throw new AssertionError({ message: `the call has not ended after ${longMs} ms` });
  return end;
}

async function within(harness: RetryPolicyHarness, running: Promise<unknown>): Promise<unknown> {
  const { value, error } = await endOf(harness, running);
  if (error !== undefined) throw error;
  return value;
}

type Work = (attempt: Attempt) => Promise<unknown>;

function resultOf(harness: RetryPolicyHarness, work: Work, options: Partial<ExecuteOptions> = {}): Promise<unknown> {
  return within(harness, harness.policy.execute(work, { ...call, ...options }));
}

async function failureOf(harness: RetryPolicyHarness, work: Work, options: Partial<ExecuteOptions>): Promise<unknown> {
  const { value, error } = await endOf(harness, harness.policy.execute(work, { ...call, ...options }));
  equal(value, undefined, 'the call fails');
  return error;
}

/** An error of the policy's own: Keelson's, and an answer of 503. */
function refusal(error: unknown): KeelsonError {
  if (!isKeelsonError(error)) throw new TypeError('the policy throws a KeelsonError', { cause: error });
  equal(error.http?.status, 503);
  return error;
}

/** Returns the unhandled rejections while `work` ran. */
async function unhandledWhile(work: () => Promise<void>): Promise<unknown[]> {
  const strays: unknown[] = [];
  const listener = (reason: unknown) => strays.push(reason);
  process.on('unhandledRejection', listener);
  try {
    await work();
    await new Promise(resolve => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', listener);
  }
  return strays;
}
