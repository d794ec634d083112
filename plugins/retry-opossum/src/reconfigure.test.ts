import type { ExecuteOptions } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import type { RetryOptionsInput } from './options.js';

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

function build(options: RetryOptionsInput): OpossumRetryPolicy {
  return new OpossumRetryPolicy({ options, clock, random: () => 0.999_999 });
}

/** How many attempts a call to `name` makes that always fails. */
async function attemptsOf(policy: OpossumRetryPolicy, name: string): Promise<number> {
  let attempts = 0;
  const options = { ...call, name, classify: () => ({ retry: true, availability: 'unknown' }) as const };
  const ended = policy.execute(async () => Promise.reject(new Error(`attempt ${++attempts}`)), options).catch(() => {});
  await clock.advance(60_000);
  await ended;
  return attempts;
}

describe('policies and targets', () => {
  test('each target has the policy that is named for it, others the default one', async () => {
    const policies = { default: { maxAttempts: 2 }, patient: { maxAttempts: 4 } };
    const policy = build({ policies, targets: { reports: 'patient' } });
    expect(await attemptsOf(policy, 'reports.yearly')).toBe(4);
    expect(await attemptsOf(policy, 'database.session')).toBe(2);
    expect(await attemptsOf(policy, 'mail')).toBe(2);
  });

  test('the target may be named apart from the operation', async () => {
    const policy = build({});
    await policy.execute(async () => {}, { ...call, target: 'database/reporting' });
    expect(policy.describe().map(report => report.target)).toEqual(['database/reporting']);
  });

  test('targets are judged apart', async () => {
    const policy = build({ policies: { default: { maxAttempts: 1 } } });
    const fail = () => Promise.reject(new Error('down'));
    for (let failure = 0; failure < 5; failure++)
      await policy.execute(fail, { ...call, name: 'mail.send' }).catch(() => {});
    await policy.execute(async () => {}, call);
    expect(policy.describe().map(({ target, breaker }) => [target, breaker.state])).toEqual([
      ['mail', 'open'],
      ['database', 'closed'],
    ]);
  });

  test('describe counts what each target has seen', async () => {
    const policy = build({ policies: { default: { maxAttempts: 3 } } });
    await attemptsOf(policy, 'database.session');
    expect(policy.describe()[0]?.counters).toEqual({
      calls: 1,
      attempts: 3,
      retries: 2,
      conflicts: 0,
      waits: 0,
      giveUps: 1,
    });
  });
});

describe('reconfigure', () => {
  test('says what differs, and calls that begin now go by it', async () => {
    const policy = build({ policies: { default: { maxAttempts: 2 } } });
    expect(await attemptsOf(policy, 'database.session')).toBe(2);
    const changes = policy.reconfigure({
      policies: { default: { maxAttempts: 3 }, quick: {} },
      targets: { mail: 'quick' },
    });
    expect(changes).toContainEqual({ path: 'policies.default.maxAttempts', from: 2, to: 3 });
    expect(changes).toContainEqual({ path: 'policies.quick.maxAttempts', from: undefined, to: 8 });
    expect(changes).toContainEqual({ path: 'targets.mail', from: undefined, to: 'quick' });
    expect(changes.filter(change => change.path.startsWith('policies.default'))).toHaveLength(1);
    expect(await attemptsOf(policy, 'database.session')).toBe(3);
  });

  test('calls in flight keep the policy they began with', async () => {
    const policy = build({ policies: { default: { maxAttempts: 2, initialDelayMs: 100 } } });
    const running = attemptsOf(policy, 'database.session');
    policy.reconfigure({ policies: { default: { maxAttempts: 5 } } });
    expect(await running).toBe(2);
  });

  test('budget and places to wait change at once, also of targets not yet called', async () => {
    const policy = build({});
    await policy.execute(async () => {}, call);
    const budget = { share: 0, floorPerSecond: 0 };
    policy.reconfigure({ policies: { default: { budget, waiting: { maxWaiters: 0 } } } });
    expect(policy.describe()[0]?.budgetLeft).toBe(0);
    expect(await attemptsOf(policy, 'mail.send')).toBe(1);
    const fail = () => Promise.reject(new Error('down'));
    for (let failure = 0; failure < 5; failure++)
      await policy.execute(fail, { ...call, idempotent: false }).catch(() => {});
    await expect(policy.execute(async () => {}, call)).rejects.toMatchObject({ code: 'CIRCUIT_WAITERS_FULL' });
  });

  test('a breaker keeps its state', async () => {
    const policy = build({});
    policy.hold('database', 'open');
    policy.reconfigure({ policies: { default: { breaker: { minimumCalls: 50 } } } });
    expect(policy.describe()[0]).toMatchObject({
      breaker: { state: 'held-open' },
      policy: { breaker: { minimumCalls: 50 } },
    });
  });

  test('changes nothing when the new options are wrong, and names every problem', async () => {
    const policy = build({ policies: { default: { maxAttempts: 2 } } });
    const wrong = { policies: { default: { maxAttempts: 0, initialDelayMs: 9_000, breaker: { breakMs: 9_000 } } } };
    expect(() => policy.reconfigure(wrong)).toThrow(expect.objectContaining({ code: 'RETRY_OPTIONS_INVALID' }));
    expect(await attemptsOf(policy, 'database.session')).toBe(2);
  });
});
