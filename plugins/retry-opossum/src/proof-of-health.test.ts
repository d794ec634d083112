import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';

const call = { name: 'database.session', idempotent: false, attemptTimeoutMs: Number.POSITIVE_INFINITY };

function newPolicy(clock: FakeClock): OpossumRetryPolicy {
  const breaker = { minimumCalls: 1, breakMs: 100, maxBreakMs: 100, probes: 1, slowCallMs: 1_000 };
  return new OpossumRetryPolicy({ options: { policies: { default: { breaker } } }, clock });
}

const stateOf = (policy: OpossumRetryPolicy) => policy.describe()[0]?.breaker.state;

describe('proof of health', () => {
  test('reported by a probe that still runs closes the breaker, and lets waiting calls go', async () => {
    const clock = new FakeClock();
    const policy = newPolicy(clock);
    await expect(policy.execute(() => Promise.reject(new Error('down')), call)).rejects.toThrow('down');
    expect(stateOf(policy)).toBe('open');
    const never = Promise.withResolvers<string>();
    const probe = policy.execute(async attempt => {
      attempt.reportHealthy();
      return never.promise;
    }, call);
    const waiting = policy.execute(async () => 'let go', call);
    await clock.advance(200);
    expect(await waiting).toBe('let go');
    expect(stateOf(policy)).toBe('closed');
    never.resolve('late');
    expect(await probe).toBe('late');
  });

  test('is not taken back when the probe that reported it fails afterwards', async () => {
    const clock = new FakeClock();
    const policy = newPolicy(clock);
    await expect(policy.execute(() => Promise.reject(new Error('down')), call)).rejects.toThrow('down');
    const probe = policy.execute(async attempt => {
      attempt.reportHealthy();
      throw new Error('a mistake of its own');
    }, call);
    probe.catch(() => {});
    await clock.advance(200);
    await expect(probe).rejects.toThrow('a mistake of its own');
    expect(stateOf(policy)).toBe('closed');
  });

  test('is not judged by time for a caller who says that its attempts have no length', async () => {
    const clock = new FakeClock();
    const policy = newPolicy(clock);
    const slow = async () => {
      await clock.sleep(60_000);
    };
    const long = policy.execute(slow, { ...call, deadline: Deadline.after(120_000, clock) });
    await clock.advance(60_000);
    await long;
    expect(stateOf(policy)).toBe('closed');
    const timed = policy.execute(slow, {
      ...call,
      attemptTimeoutMs: 90_000,
      deadline: Deadline.after(120_000, clock),
    });
    await clock.advance(60_000);
    await timed;
    expect(stateOf(policy)).toBe('open');
  });
});
