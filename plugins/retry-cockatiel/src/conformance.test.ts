import { FakeClock, retryPolicyConformance } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { CockatielRetryPolicy } from './cockatiel-retry-policy.js';
import type { RetryOptionsInput } from './options.js';

const cases = (options: RetryOptionsInput, maxAttempts: number) =>
  retryPolicyConformance(() => {
    const clock = new FakeClock();
    const policy = new CockatielRetryPolicy({ options, clock, random: () => 0.5 });
    return { policy, clock, maxAttempts, opensAfter: 5, close: () => policy.stop() };
  });

describe.each([
  { name: 'with its defaults', options: {}, maxAttempts: 8 },
  { name: 'without waiting', options: { policies: { default: { whenOpen: 'refuse' as const } } }, maxAttempts: 8 },
  {
    name: 'that counts failures in a row',
    options: { policies: { default: { maxAttempts: 2, breaker: { consecutiveFailures: 5 } } } },
    maxAttempts: 2,
  },
])('a retry policy on cockatiel $name', ({ options, maxAttempts }) => {
  test.each(cases(options, maxAttempts))('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
  });
});

describe('a retry policy on cockatiel with retries turned off', () => {
  test.each(cases({ policies: { default: { maxAttempts: 1 } } }, 1))('$name', async ({ run }) => void (await run()));
});
