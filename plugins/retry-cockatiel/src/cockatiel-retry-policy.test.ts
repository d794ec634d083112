import { type Attempt, Deadline, type ExecuteOptions } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { CockatielRetryPolicy } from './cockatiel-retry-policy.js';
import type { RetryOptionsInput } from './options.js';

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
const once: ExecuteOptions = { ...call, idempotent: false };
const fail = () => Promise.reject(new Error('down'));
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

function build(options: RetryOptionsInput = {}): CockatielRetryPolicy {
  return new CockatielRetryPolicy({ options, clock, random: () => 0.5 });
}

async function open(policy: CockatielRetryPolicy): Promise<void> {
  for (let failure = 0; failure < 5; failure++) await policy.execute(fail, once).catch(() => {});
}

test('each target has the policy that is named for it, others the default one', async () => {
  const policies = { default: { maxAttempts: 2 }, patient: { maxAttempts: 4 } };
  const policy = build({ policies, targets: { reports: 'patient' } });
  const attemptsOf = async (options: ExecuteOptions) => {
    let attempts = 0;
    const work = async () => Promise.reject(new Error(`attempt ${++attempts}`));
    const ended = policy.execute(work, { ...options, classify: () => ({ retry: true, availability: 'up' }) });
    await Promise.all([
      expect(ended).rejects.toMatchObject({ code: 'RETRY_ATTEMPTS_EXHAUSTED' }),
      clock.advance(9_000),
    ]);
    return attempts;
  };
  expect(await attemptsOf({ ...call, name: 'reports.yearly' })).toBe(4);
  expect(await attemptsOf(call)).toBe(2);
  expect(await attemptsOf({ ...call, target: 'reports' })).toBe(4);
  expect(await attemptsOf({ ...call, target: 'reports.yearly' })).toBe(4);
});

test('an outage of 3 s fails no call that is alone with it while the successes of a moment ago still count', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const policy = new CockatielRetryPolicy({ clock, random: () => (seed + 0.5) / 20 });
    let isDown = false;
    const work = async () => {
      if (isDown) throw Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' });
    };
    const run = () => policy.execute(work, { ...call, deadline: Deadline.after(10_000, clock) });
    for (let before = 0; before < 100; before++) await run();
    isDown = true;
    const alone = run();
    alone.catch(() => {});
    await clock.advance(3_000);
    isDown = false;
    await clock.advance(7_000);
    await expect(alone).resolves.toBeUndefined();
  }
});

test('an attempt over its time is cancelled, counts against the target, and the next one may succeed', async () => {
  const policy = build({ policies: { default: { attemptTimeoutMs: 100, breaker: { consecutiveFailures: 1 } } } });
  const reasons: unknown[] = [];
  const hang = ({ number, signal }: Attempt) =>
    number > 1
      ? Promise.resolve('done')
      : new Promise<string>((_, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            reject(signal.reason);
          });
        });
  const running = policy.execute(hang, call);
  await clock.advance(100);
  expect(reasons).toMatchObject([{ code: 'RETRY_ATTEMPT_TIMEOUT', facts: { timeoutMs: 100, attempts: 1 } }]);
  expect(policy.notClosed()).toEqual(['database']);
  await clock.advance(5_000);
  expect(await running).toBe('done');
});

describe('what a cancelled attempt ends with in its time of grace', () => {
  const oneStrike = () =>
    build({
      policies: { default: { attemptTimeoutMs: 100, cancelGraceMs: 50, breaker: { consecutiveFailures: 1 } } },
    });

  test('is the result, and counts against the target all the same', async () => {
    const policy = oneStrike();
    const late = policy.execute(() => clock.sleep(120).then(() => 'committed'), call);
    await clock.advance(120);
    expect(await late).toBe('committed');
    expect(policy.notClosed()).toEqual(['database']);
  });

  test('counts against the target whatever its verdict says', async () => {
    const policy = oneStrike();
    const options: ExecuteOptions = { ...call, classify: () => ({ retry: false, availability: 'up' }) };
    const late = policy.execute(() => clock.sleep(120).then(fail), options);
    await Promise.all([expect(late).rejects.toThrow('down'), clock.advance(120)]);
    expect(policy.notClosed()).toEqual(['database']);
  });
});

describe('while the breaker is open', () => {
  test('a call with time left waits, sends nothing meanwhile, and goes on once the target is back', async () => {
    const policy = build();
    await open(policy);
    const times: number[] = [];
    const running = policy.execute(async () => times.push(clock.now()), {
      ...call,
      deadline: Deadline.after(2_000, clock),
    });
    await clock.advance(2_000);
    await running;
    expect(times).toHaveLength(1);
    expect(times[0]).toBeGreaterThanOrEqual(150);
    expect(clock.pending).toBe(0);
  });

  test('with `refuse` it is refused at once, with the failure that opened the breaker as cause', async () => {
    const policy = build({ policies: { default: { whenOpen: 'refuse' } } });
    await open(policy);
    await expect(policy.execute(async () => 'done', call)).rejects.toMatchObject({
      code: 'CIRCUIT_OPEN',
      facts: { attempts: 0, target: 'database' },
      http: { status: 503, retryAfterMs: 150 },
      cause: { message: 'down' },
    });
  });

  test('one of many that wait probes, the others follow, and none waits past its deadline', async () => {
    const policy = build();
    await open(policy);
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await clock.sleep(30);
      running--;
    };
    const options = { ...call, deadline: Deadline.after(5_000, clock) };
    const calls = Promise.all(Array.from({ length: 20 }, () => policy.execute(work, options)));
    await clock.advance(175);
    expect(most).toBe(1);
    await clock.advance(4_000);
    expect(await calls).toHaveLength(20);
  });
});

test('a probe that reports health closes the breaker before it has ended', async () => {
  const policy = build();
  await open(policy);
  await clock.advance(200);
  const probe = policy.execute(async attempt => {
    attempt.reportHealthy();
    expect(policy.notClosed()).toEqual([]);
    throw new Error('late trouble');
  }, once);
  await expect(probe).rejects.toThrow('late trouble');
  expect(policy.notClosed()).toEqual([]);
});

test('stopping ends waits, refuses further calls and leaves no timer', async () => {
  const policy = build();
  const classify = () => ({ retry: true, availability: 'up', retryAfterMs: 5_000 }) as const;
  const waiting = policy.execute(fail, { ...call, classify });
  await clock.advance(10);
  policy.stop();
  await expect(waiting).rejects.toMatchObject({ code: 'RETRY_STOPPED', cause: { message: 'down' } });
  await expect(policy.execute(async () => 'done', call)).rejects.toMatchObject({ code: 'RETRY_STOPPED' });
  expect(clock.pending).toBe(0);
});

test('no attempt is made when the deadline has passed', async () => {
  const late = build().execute(async () => 'done', { ...call, deadline: Deadline.after(0, clock) });
  await expect(late).rejects.toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', facts: { attempts: 0 } });
});

test('says everything that is wrong with its options', () => {
  const options = {
    policies: { default: { maxAttempts: 0, initialDelayMs: 10, breaker: { windowMs: 1_500 } } },
    targets: { database: 'patent' },
  };
  expect(() => build(options)).toThrow(
    expect.objectContaining({
      code: 'RETRY_OPTIONS_INVALID',
      facts: {
        problems: [
          expect.stringContaining('policies.default.maxAttempts'),
          expect.stringContaining('policies.default.breaker.windowMs'),
          'targets.database: there is no policy "patent"; the policies are default',
        ],
      },
    }),
  );
});
