import { describe, expect, test } from 'vitest';
import { Deadline } from '../contract/deadline.js';
import type { RetryPolicy } from '../contract/slots/retry-policy.js';
import { singleAttempt } from '../contract/slots/single-attempt.js';
import { FakeClock } from './fake-clock.js';
import { retryPolicyConformance } from './retry-policy-conformance.js';

const singleAttemptCases = retryPolicyConformance(() => {
  const clock = new FakeClock();
  return { policy: singleAttempt(clock), clock, maxAttempts: 1 };
});

describe('the single attempt of a service without a retry plugin', () => {
  test.each(singleAttemptCases)('$name', async ({ run }) => void (await run()));
});

test('names the promises that a careless policy breaks', async () => {
  const broken: string[] = [];
  const cases = retryPolicyConformance(() => {
    const clock = new FakeClock();
    return { policy: careless(clock), clock, maxAttempts: 3 };
  });
  for (const { name, run } of cases) await run().catch(() => broken.push(name));
  expect(broken).toEqual(
    expect.arrayContaining([
      'runs work once when it must not be repeated, whatever the verdict',
      'throws the error as it is when the verdict forbids a further attempt',
      'makes no attempt for a call whose deadline has passed',
      'pauses for as long as the target asks',
      'says at the end how many attempts were made, with the last failure as cause',
    ]),
  );
  expect(broken).not.toContain('repeats the work until it succeeds, and numbers the attempts');
});

/** Three attempts, come what may. */
function careless(clock: FakeClock): RetryPolicy {
  return {
    async execute(work) {
      const deadline = Deadline.after(Number.POSITIVE_INFINITY, clock);
      const { signal } = new AbortController();
      for (let number = 1; ; number++) {
        try {
          return await work({ number, signal, deadline, reportHealthy() {} });
        } catch (error) {
          if (number === 3) throw error;
        }
      }
    },
  };
}
