import { Deadline } from '../contract/deadline.js';
import type { ExecuteOptions, RetryPolicy } from '../contract/slots/retry-policy.js';
import type { FakeClock } from './fake-clock.js';

/** Longer than any policy pauses. */
const longMs = 10 * 60_000;
/** A breaker that lets more failed calls through than this is taken for none. */
const mostCalls = 100;

/** How many attempts `policy` makes for a call that always fails. */
export async function attemptsOf(policy: RetryPolicy, clock: FakeClock): Promise<number> {
  let attempts = 0;
  const options: ExecuteOptions = {
    name: 'measure-attempts.call',
    idempotent: true,
    classify: () => ({ retry: true, availability: 'up' }),
  };
  await ended(
    failing(policy, options, () => attempts++),
    clock,
  );
  return attempts;
}

/** How many failed calls it takes until `policy` keeps calls away; undefined when it never does. */
export async function callsUntilOpen(policy: RetryPolicy, clock: FakeClock): Promise<number | undefined> {
  for (let calls = 0; calls < mostCalls; calls += 1) {
    let ran = false;
    const options: ExecuteOptions = {
      name: 'measure-breaker.call',
      idempotent: false,
      deadline: Deadline.after(1, clock),
      classify: () => ({ retry: false, availability: 'down' }),
    };
    const call = failing(policy, options, () => {
      ran = true;
    });
    await clock.advance(0);
    if (!ran) {
      await ended(call, clock);
      return calls;
    }
    await call;
  }
  return undefined;
}

async function failing(policy: RetryPolicy, options: ExecuteOptions, onAttempt: () => void): Promise<void> {
  const work = async () => {
    onAttempt();
    throw new Error('fails to be counted');
  };
  await policy.execute(work, options).catch(() => undefined);
}

async function ended(call: Promise<void>, clock: FakeClock): Promise<void> {
  await clock.advance(longMs);
  await call;
}
