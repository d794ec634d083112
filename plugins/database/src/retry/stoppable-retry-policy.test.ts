import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { describe, expect, test } from 'vitest';
import { StoppableRetryPolicy } from './stoppable-retry-policy.js';

const stopped = new Error('the service has stopped');
const lost = new Error('the connection was lost');
const never = new Promise<never>(() => {});

const setUp = () => {
  const clock = new FakeClock();
  const inner = new OpossumRetryPolicy({ clock, random: () => 1 });
  const policy = new StoppableRetryPolicy(inner, ['database']);
  const options = {
    name: 'database.session',
    idempotent: true,
    deadline: Deadline.after(60_000, clock),
    classify: () => ({ retry: true, availability: 'up' }) as const,
  };
  return { clock, inner, policy, options };
};

describe('a policy that can be stopped', () => {
  test('passes on results, errors and options of the wrapped policy', async () => {
    const { clock, policy, options } = setUp();
    let attempts = 0;
    const call = policy.execute(async ({ number }) => {
      attempts = number;
      if (number < 3) throw lost;
      return 'done';
    }, options);
    await clock.advance(1_000);
    expect([await call, attempts, clock.pending]).toEqual(['done', 3, 0]);
    await expect(policy.execute(() => Promise.reject(lost), { ...options, idempotent: false })).rejects.toBe(lost);
  });

  test('ends a pause between two attempts at once, and leaves no timer', async () => {
    const { clock, policy, options } = setUp();
    const call = policy.execute(() => Promise.reject(lost), options);
    await clock.advance(0);
    policy.stop(stopped);
    await expect(call).rejects.toBe(stopped);
    expect(clock.pending).toBe(0);
  });

  test('ends a wait for the breaker at once, before a first attempt too, and also beside a signal of the caller', async () => {
    for (const more of [{}, { signal: new AbortController().signal }]) {
      const { clock, inner, policy, options } = setUp();
      const down = { ...options, classify: () => ({ retry: false, availability: 'down' }) as const };
      while (inner.describe()[0]?.breaker.state !== 'open') {
        await policy.execute(() => Promise.reject(lost), down).catch(() => {});
      }
      const call = policy.execute(() => Promise.resolve('too late'), { ...options, ...more });
      await clock.advance(0);
      expect(inner.describe()).toMatchObject([{ target: 'database', waiting: 1 }]);
      policy.stop(stopped);
      await expect(call).rejects.toBe(stopped);
      expect(inner.describe()).toMatchObject([{ target: 'database', waiting: 0 }]);
    }
  });

  test('leaves an attempt alone that runs, and has it be the last', async () => {
    const { clock, policy, options } = setUp();
    const running = Promise.withResolvers<string>();
    const failing = Promise.withResolvers<string>();
    let signal: AbortSignal | undefined;
    const kept = policy.execute(attempt => {
      signal = attempt.signal;
      return running.promise;
    }, options);
    const last = policy.execute(() => failing.promise, options);
    await clock.advance(0);
    policy.stop(stopped);
    expect(signal?.aborted).toBe(false);
    running.resolve('done');
    failing.reject(lost);
    expect(await kept).toBe('done');
    await expect(last).rejects.toBe(lost);
    expect(clock.pending).toBe(0);
  });

  test('refuses who comes later', async () => {
    const { policy, options } = setUp();
    policy.stop(stopped);
    await expect(policy.execute(() => Promise.resolve('too late'), options)).rejects.toBe(stopped);
  });

  test('still lets the caller give up', async () => {
    const { clock, policy, options } = setUp();
    const caller = new AbortController();
    const call = policy.execute(() => never, { ...options, signal: caller.signal });
    await clock.advance(0);
    caller.abort(new Error('gone away'));
    await expect(call).rejects.toThrow('gone away');
    expect(clock.pending).toBe(0);
  });
});
