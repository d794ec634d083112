import { Kernel, RetryPolicy } from '@keelson/core';
import { afterEach, describe, expect, test } from 'vitest';

/** What any deployment may say of its retries, whichever plugin carries them out. */
const policies = { default: { maxAttempts: 4, initialDelayMs: 5, breaker: { breakMs: 20, maxBreakMs: 50 } } };
const boom = new Error('down');
let kernel: Kernel | undefined;

afterEach(async () => {
  await kernel?.stop();
});

async function policyOf(retry: object): Promise<RetryPolicy> {
  const config = { service: 'swapped', plugins: { retry } };
  kernel = await Kernel.start({ config, variables: {}, directory: import.meta.dirname });
  return kernel.container.get(RetryPolicy);
}

/** A target that is down for its first `failures` attempts. */
function target(failures: number) {
  let attempts = 0;
  const answer = async () => {
    if (++attempts <= failures) throw boom;
    return 'done';
  };
  return { answer, attempts: () => attempts };
}

describe.each(['@keelson/retry-opossum', '@keelson/retry-cockatiel'])('the same service with %s', use => {
  test('comes through a short failure, and ends a long one with the same error', async () => {
    const policy = await policyOf({ use, policies });
    const short = target(2);
    expect(await policy.execute(short.answer, { name: 'mail.send', idempotent: true })).toBe('done');
    expect(short.attempts()).toBe(3);

    const long = target(Number.POSITIVE_INFINITY);
    await expect(policy.execute(long.answer, { name: 'stock.read', idempotent: true })).rejects.toMatchObject({
      name: 'RetryError',
      code: 'RETRY_ATTEMPTS_EXHAUSTED',
      facts: { operation: 'stock.read', target: 'stock', attempts: 4 },
      cause: boom,
      http: { status: 503, retryAfterMs: 1_000 },
    });
    expect(long.attempts()).toBe(4);
  });

  test('waits for a target that is down, and goes on as soon as it is back', async () => {
    const policy = await policyOf({ use, policies });
    const outage = target(5);
    const once = { name: 'stock.write', idempotent: false };
    for (let failure = 0; failure < 5; failure++) {
      await expect(policy.execute(outage.answer, once)).rejects.toBe(boom);
    }
    expect(await policy.execute(outage.answer, once)).toBe('done');
    expect(outage.attempts()).toBe(6);
  });
});

test('the same service without a retry policy fails at the first failure', async () => {
  const policy = await policyOf({ use: 'none' });
  const short = target(1);
  await expect(policy.execute(short.answer, { name: 'mail.send', idempotent: true })).rejects.toBe(boom);
  expect(await policy.execute(short.answer, { name: 'mail.send', idempotent: true })).toBe('done');
});
