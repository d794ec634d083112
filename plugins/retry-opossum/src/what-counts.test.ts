import { type Attempt, Deadline, type ExecuteOptions, type FailureVerdict } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, expect, test } from 'vitest';
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

test('unless it had taken as long as a slow call', async () => {
  policy.reconfigure({ policies: { default: { breaker: { slowCallMs: 50 } } } });
  expect(await stateAfterFive(obedient, () => ({ ...call, deadline: Deadline.after(50, clock) }))).toBe('open');
});
