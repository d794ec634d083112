import { expect, test } from 'vitest';
import { KeelsonError } from '../contract/keelson-error.js';
import { singleAttempt } from '../contract/slots/single-attempt.js';
import { FakeClock } from './fake-clock.js';
import { attemptsOf, callsUntilOpen } from './measure-retry-policy.js';

test('a policy that never repeats and never opens is measured as such', async () => {
  const clock = new FakeClock();
  expect(await attemptsOf(singleAttempt(clock), clock)).toBe(1);
  expect(await callsUntilOpen(singleAttempt(clock), clock)).toBeUndefined();
});

test('a policy that repeats and opens is measured by trying it out', async () => {
  const clock = new FakeClock();
  const single = singleAttempt(clock);
  let failures = 0;
  const policy: typeof single = {
    async execute(work, options) {
      if (options.target === undefined && options.name.startsWith('measure-breaker') && failures === 3)
        throw new KeelsonError({ code: 'OPEN', message: 'Open.', hint: 'Wait.' });
      for (let number = 1; ; number += 1) {
        try {
          return await single.execute(work, options);
        } catch (error) {
          failures += options.idempotent ? 0 : 1;
          if (!options.idempotent || number === 4) throw error;
          await clock.sleep(1_000);
        }
      }
    },
  };
  expect(await attemptsOf(policy, clock)).toBe(4);
  expect(await callsUntilOpen(policy, clock)).toBe(3);
});
