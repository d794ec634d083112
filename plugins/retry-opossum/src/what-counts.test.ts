import { type Attempt, Deadline, type ExecuteOptions, type FailureVerdict } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';

/** One attempt each, so that five calls are five outcomes, as many as open the breaker. */
const call: ExecuteOptions = { name: 'database.session', idempotent: false };
let clock: FakeClock;
let policy: OpossumRetryPolicy;

beforeEach(() => {
  clock = new FakeClock();
  policy = new OpossumRetryPolicy({
    options: { policies: { default: { attemptTimeoutMs: 100, cancelGraceMs: 100 } } },
    clock,
    random: () => 0.5,
  });
});

const wellVerdict = (): FailureVerdict => ({ retry: false, availability: 'up' });

/** Rejects as soon as its attempt is cancelled. */
function obedient({ signal }: Attempt): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

async function stateAfterFive(work: (attempt: Attempt) => Promise<unknown>, options: () => ExecuteOptions) {
  const calls = Array.from({ length: 5 }, () => policy.execute(work, options()).catch(() => {}));
  await clock.advance(1_000);
  await Promise.all(calls);
  return policy.describe()[0]?.breaker.state;
}

test('a timed-out attempt counts against the target, whatever its error says', async () => {
  expect(await stateAfterFive(obedient, () => ({ ...call, classify: wellVerdict }))).toBe('open');
});

test('so does one that succeeds while it is being cancelled', async () => {
  expect(
    await stateAfterFive(
      () => clock.sleep(150),
      () => call,
    ),
  ).toBe('open');
});

test('an attempt that its caller gave up counts neither way', async () => {
  const signalAfter = (ms: number) => {
    const controller = new AbortController();
    clock.schedule(ms, () => controller.abort(new Error('gone')));
    return controller.signal;
  };
  expect(await stateAfterFive(obedient, () => ({ ...call, signal: signalAfter(50) }))).toBe('closed');
});

test('an attempt that the deadline of its call ended counts neither way', async () => {
  expect(await stateAfterFive(obedient, () => ({ ...call, deadline: Deadline.after(50, clock) }))).toBe('closed');
});

describe('an attempt that was ended while the target answered no caller', () => {
  const patient = (): ExecuteOptions => ({
    ...call,
    attemptTimeoutMs: Number.POSITIVE_INFINITY,
    deadline: Deadline.after(1_000, clock),
  });

  test('counts against the target', async () => {
    expect(await stateAfterFive(obedient, patient)).toBe('open');
    expect(policy.describe()[0]?.breaker.lastCause).toMatchObject({
      code: 'RETRY_ATTEMPT_TIMEOUT',
      facts: { timeoutMs: 1_000 },
    });
  });

  test('counts against the target too when its caller gives up', async () => {
    const gone = () => {
      const controller = new AbortController();
      clock.schedule(1_000, () => controller.abort(new Error('gone')));
      return { ...patient(), deadline: Deadline.after(60_000, clock), signal: controller.signal };
    };
    expect(await stateAfterFive(obedient, gone)).toBe('open');
  });

  test('counts neither way when it was shorter than silenceMs', async () => {
    policy.reconfigure({ policies: { default: { breaker: { silenceMs: 1_001 } } } });
    expect(await stateAfterFive(obedient, patient)).toBe('closed');
  });

  test('counts neither way with silenceMs of 0', async () => {
    policy.reconfigure({ policies: { default: { breaker: { silenceMs: 0 } } } });
    expect(await stateAfterFive(obedient, patient)).toBe('closed');
  });

  test('counts neither way when another call was answered meanwhile', async () => {
    clock.schedule(500, () => void policy.execute(async () => 'answered', call));
    expect(await stateAfterFive(obedient, patient)).toBe('closed');
  });

  test('counts neither way when another attempt that still runs was answered meanwhile', async () => {
    clock.schedule(500, () => {
      void policy
        .execute(attempt => {
          attempt.reportHealthy();
          return obedient(attempt);
        }, call)
        .catch(() => {});
    });
    expect(await stateAfterFive(obedient, patient)).toBe('closed');
  });

  test('counts neither way when the one who knows the work says that it did not wait for the target', async () => {
    const classify = (): FailureVerdict => ({ retry: false, availability: 'unknown' });
    expect(await stateAfterFive(obedient, () => ({ ...patient(), classify }))).toBe('closed');
  });
});

test('unless it had taken as long as a slow call', async () => {
  policy.reconfigure({ policies: { default: { breaker: { slowCallMs: 50 } } } });
  expect(await stateAfterFive(obedient, () => ({ ...call, deadline: Deadline.after(50, clock) }))).toBe('open');
});
