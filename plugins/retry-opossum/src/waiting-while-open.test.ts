import { Deadline, type ExecuteOptions, type FailureVerdict } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import type { RetryOptionsInput } from './options.js';
import { outcomeBy } from './outcome.fixture.js';

type PolicyInput = NonNullable<RetryOptionsInput['policies']>[string];

const call: ExecuteOptions = { name: 'database.session', idempotent: true };
const refused = new Error('connection refused');
let clock: FakeClock;
/** What the target does, and the time of each attempt it has seen. */
let target: { up: boolean; seenAt: number[] };

beforeEach(() => {
  clock = new FakeClock();
  target = { up: true, seenAt: [] };
});

async function work(): Promise<string> {
  target.seenAt.push(Math.round(clock.now()));
  if (!target.up) throw refused;
  return 'done';
}

/** Breaks are 200 ms long: chance cuts none short. */
function build(policy: PolicyInput = {}): OpossumRetryPolicy {
  const breaker = { breakMs: 200, ...policy.breaker };
  return new OpossumRetryPolicy({ options: { policies: { default: { ...policy, breaker } } }, clock, random: () => 0 });
}

/** A policy whose breaker has just opened, and a target that has seen nothing yet. */
async function opened(policy: PolicyInput = {}): Promise<OpossumRetryPolicy> {
  const built = build(policy);
  target.up = false;
  for (let failure = 0; failure < 5; failure++)
    await built.execute(work, { ...call, idempotent: false }).catch(() => {});
  expect(stateOf(built)).toBe('open');
  target.seenAt = [];
  return built;
}

const stateOf = (policy: OpossumRetryPolicy) => policy.describe()[0]?.breaker.state;

const outcomeOf = (promise: Promise<unknown>, ms?: number) => outcomeBy(clock, promise, ms);

describe('waiting is not retrying', () => {
  test('a lone call outlives an outage that is longer than all of its attempts', async () => {
    const policy = build();
    target.up = false;
    clock.schedule(3_000, () => {
      target.up = true;
    });
    const { value, atMs } = await outcomeOf(policy.execute(work, { ...call, deadline: Deadline.after(10_000, clock) }));
    expect(value).toBe('done');
    expect(atMs).toBeLessThanOrEqual(3_200);
  });

  test('the target sees at most the probes, however many calls wait', async () => {
    const policy = await opened();
    const waiting = Array.from({ length: 500 }, () => policy.execute(work, call).catch(error => error));
    await clock.advance(2_050);
    expect(target.seenAt.length).toBeLessThanOrEqual(2 * 10);
    policy.stop();
    await Promise.all(waiting);
  });

  test('waiting and failed probes cost neither budget nor attempts', async () => {
    const policy = await opened({ maxAttempts: 2 });
    const before = policy.describe()[0]?.budgetLeft;
    const waiting = policy.execute(work, call);
    await clock.advance(5_000);
    expect(target.seenAt.length).toBeGreaterThan(5);
    expect(policy.describe()[0]).toMatchObject({ waiting: 1, counters: { retries: 0 } });
    expect(policy.describe()[0]?.budgetLeft).toBe(before);
    target.up = true;
    expect(await outcomeOf(waiting)).toMatchObject({ value: 'done' });
  });

  test('ten thousand waiting calls share one timer for their deadlines and one for the end of the break', async () => {
    const policy = await opened();
    const waiting = Array.from({ length: 10_000 }, () => policy.execute(work, call).catch(error => error));
    await clock.advance(1);
    expect(policy.describe()[0]?.waiting).toBe(10_000);
    expect(clock.pending).toBe(2);
    policy.stop();
    expect(clock.pending).toBe(0);
    await Promise.all(waiting);
  });

  test('a call that waits while retrying reports it like any other pause', async () => {
    const reported: unknown[] = [];
    const policy = build();
    target.up = false;
    clock.schedule(100, () => {
      target.up = true;
    });
    await outcomeOf(policy.execute(work, { ...call, onRetry: event => reported.push(event) }));
    expect(reported.at(-1)).toEqual({ attempt: 6, delayMs: 200, error: refused });
    expect(reported).toHaveLength(5);
  });

  test('a waiting call does not report each failed probe', async () => {
    const reported: number[] = [];
    const policy = await opened();
    const onRetry = ({ attempt }: { attempt: number }) => reported.push(attempt);
    const waiting = policy.execute(work, { ...call, onRetry });
    await clock.advance(5_000);
    expect(target.seenAt.length).toBeGreaterThan(5);
    target.up = true;
    await outcomeOf(waiting);
    expect(reported).toEqual([]);
  });

  test('a call whose pause ends in a wait reports its next attempt once', async () => {
    const reported: number[] = [];
    const policy = new OpossumRetryPolicy({ clock, random: () => 0.999 });
    target.up = false;
    const running = policy.execute(work, { ...call, onRetry: ({ attempt }) => reported.push(attempt) });
    await clock.advance(0);
    for (let failure = 0; failure < 4; failure++)
      await policy.execute(work, { ...call, idempotent: false }).catch(() => {});
    expect(stateOf(policy)).toBe('open');
    target.up = true;
    expect(await outcomeOf(running)).toMatchObject({ value: 'done' });
    expect(reported).toEqual([2]);
  });

  test('a pause that ends in a wait refunds its retry budget', async () => {
    const policy = new OpossumRetryPolicy({ clock, random: () => 0.999 });
    target.up = false;
    const running = policy.execute(work, call);
    await clock.advance(0);
    for (let failure = 0; failure < 4; failure++)
      await policy.execute(work, { ...call, idempotent: false }).catch(() => {});
    await clock.advance(100);
    // 3 a second for 10 s, and 0.2 for each of 5 calls: nothing of it is gone.
    expect(policy.describe()[0]).toMatchObject({ waiting: 1, counters: { retries: 0 }, budgetLeft: 31 });
    target.up = true;
    expect(await outcomeOf(running)).toMatchObject({ value: 'done' });
    expect(policy.describe()[0]?.counters.retries).toBe(0);
  });

  test('a probe that fails from a target that is well pauses and pays like any other attempt', async () => {
    const policy = await opened({ initialDelayMs: 1_000 });
    const deadlock: FailureVerdict = { retry: true, availability: 'up' };
    let failures = 0;
    const failOnce = async () => {
      if (failures++ === 0) throw new Error('deadlock');
    };
    await outcomeOf(policy.execute(failOnce, { ...call, classify: () => deadlock }));
    expect(policy.describe()[0]?.counters.retries).toBe(1);
  });

  test('work that may not be repeated waits for its first attempt, and makes no second', async () => {
    const policy = await opened();
    const { error } = await outcomeOf(policy.execute(work, { ...call, idempotent: false }));
    expect(error).toBe(refused);
    expect(target.seenAt).toHaveLength(1);
  });
});

test('the process stays alive for as long as a call pauses, waits or runs', async () => {
  const keptAlive: unknown[] = [];
  class ObservedClock extends FakeClock {
    override schedule(ms: number, callback: () => void, options?: { keepAlive?: boolean }) {
      keptAlive.push(options?.keepAlive);
      return super.schedule(ms, callback);
    }
  }
  clock = new ObservedClock();
  target.up = false;
  const running = build().execute(work, { ...call, deadline: Deadline.after(2_000, clock) });
  expect((await outcomeOf(running)).error).toMatchObject({ code: 'CIRCUIT_OPEN' });
  expect(keptAlive.length).toBeGreaterThan(10);
  expect(new Set(keptAlive)).toEqual(new Set([true]));
});

describe('the target is back', () => {
  test('waiting calls are let go in batches that double', async () => {
    const policy = await opened({ waiting: { releaseBatch: 10, releaseIntervalMs: 20 }, breaker: { probes: 1 } });
    const waiting = Array.from({ length: 71 }, () => policy.execute(work, call));
    target.up = true;
    await clock.advance(1_000);
    await Promise.all(waiting);
    const perMs = Map.groupBy(target.seenAt, at => at);
    expect([...perMs].map(([at, calls]) => [at, calls.length])).toEqual([
      [200, 11],
      [220, 20],
      [240, 40],
    ]);
    expect(clock.pending).toBe(0);
  });

  test('the batches begin small again after the next outage', async () => {
    const policy = await opened({ waiting: { releaseBatch: 10 }, breaker: { probes: 1 } });
    for (const outage of ['first', 'second']) {
      target.up = false;
      while (stateOf(policy) !== 'open') {
        await policy.execute(work, { ...call, idempotent: false }).catch(() => {});
      }
      target.seenAt = [];
      const waiting = Array.from({ length: 31 }, () => policy.execute(work, call));
      target.up = true;
      await clock.advance(1_000);
      await Promise.all(waiting);
      const batches = [...Map.groupBy(target.seenAt, at => at).values()].map(calls => calls.length);
      expect(batches, outage).toEqual([11, 20]);
    }
  });

  test('the rest waits on when it fails again meanwhile', async () => {
    const policy = await opened({ waiting: { releaseBatch: 10 }, breaker: { probes: 1 } });
    const waiting = Array.from({ length: 100 }, () => policy.execute(work, call).catch(error => error));
    target.up = true;
    clock.schedule(210, () => {
      target.up = false;
    });
    await clock.advance(260);
    expect(stateOf(policy)).toBe('open');
    expect(policy.describe()[0]?.waiting).toBeGreaterThanOrEqual(60);
    target.up = true;
    await clock.advance(5_000);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['done']));
  });

  test('a probe that says nothing of the target hands over to the next call', async () => {
    const policy = await opened({ breaker: { probes: 1 } });
    const unknown: FailureVerdict = { retry: false, availability: 'unknown' };
    const silent = policy.execute(() => Promise.reject(refused), { ...call, classify: () => unknown });
    const next = policy.execute(work, call);
    target.up = true;
    expect((await outcomeOf(silent)).error).toBe(refused);
    expect(await next).toBe('done');
    expect(target.seenAt).toEqual([200]);
  });

  test('an unused probe is there for the next call', async () => {
    const policy = await opened({ breaker: { probes: 1 } });
    const controller = new AbortController();
    const only = policy.execute(work, { ...call, signal: controller.signal }).catch(error => error);
    using _observed = policy.observe({ breakerMoved: () => controller.abort(new Error('gone')) });
    await clock.advance(200);
    expect(await only).toMatchObject({ message: 'gone' });
    target.up = true;
    expect(await policy.execute(work, call)).toBe('done');
    expect(clock.pending).toBe(0);
  });

  test('a call whose caller gives up just as it is let go hands its place on', async () => {
    const policy = await opened({ breaker: { probes: 1 } });
    const controller = new AbortController();
    const first = policy.execute(work, { ...call, signal: controller.signal }).catch(error => error);
    const second = policy.execute(work, call);
    target.up = true;
    // Between being let go and going on: the breaker moves just before it hands out the probe.
    policy.observe({
      breakerMoved: () => queueMicrotask(() => controller.abort(new Error('gone'))),
    });
    await clock.advance(1_000);
    expect(target.seenAt).toEqual([200]);
    expect(await first).toMatchObject({ message: 'gone' });
    expect(await second).toBe('done');
  });
});

describe('not worth waiting for', () => {
  test('CIRCUIT_OPEN at once when the deadline comes before the end of the break', async () => {
    const policy = await opened();
    const { error, atMs } = await outcomeOf(policy.execute(work, { ...call, deadline: Deadline.after(150, clock) }));
    expect(error).toMatchObject({
      code: 'CIRCUIT_OPEN',
      message: 'database.session was refused: "database" is down and its breaker open.',
      cause: refused,
      facts: { attempts: 0 },
      http: { status: 503, retryAfterMs: 200 },
    });
    expect(atMs).toBe(0);
    expect(target.seenAt).toEqual([]);
  });

  test('CIRCUIT_OPEN at once when the policy says refuse', async () => {
    const policy = await opened({ whenOpen: 'refuse' });
    const { error, atMs } = await outcomeOf(policy.execute(work, call));
    expect(error).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(atMs).toBe(0);
    expect(target.seenAt).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('CIRCUIT_WAITERS_FULL beyond the number that may wait', async () => {
    const policy = await opened({ waiting: { maxWaiters: 2 } });
    const waiting = [policy.execute(work, call), policy.execute(work, call)];
    const { error } = await outcomeOf(policy.execute(work, call), 0);
    expect(error).toMatchObject({ code: 'CIRCUIT_WAITERS_FULL', facts: { maxWaiters: 2 }, http: { status: 503 } });
    target.up = true;
    await clock.advance(1_000);
    expect(await Promise.all(waiting)).toEqual(['done', 'done']);
  });

  test('RETRY_DEADLINE_EXCEEDED when the target is not back in time', async () => {
    const policy = await opened();
    const others = Array.from({ length: 50 }, () => policy.execute(work, call).catch(error => error));
    const waiting = policy.execute(work, { ...call, deadline: Deadline.after(1_234, clock) });
    const { error, atMs } = await outcomeOf(waiting, 2_000);
    expect(error).toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', cause: refused, facts: { attempts: 0 } });
    expect(atMs).toBe(1_234);
    policy.stop();
    await Promise.all(others);
  });

  test('the caller’s signal ends the wait at once, and nothing is left behind', async () => {
    const policy = await opened();
    const controller = new AbortController();
    const waiting = policy.execute(work, { ...call, signal: controller.signal });
    clock.schedule(10, () => controller.abort(new Error('gone')));
    const { error, atMs } = await outcomeOf(waiting);
    expect(error).toMatchObject({ message: 'gone' });
    expect(atMs).toBe(10);
    expect(clock.pending).toBe(0);
  });
});

describe('held by hand', () => {
  test('open, it refuses calls and those that wait, and says that it is held', async () => {
    const policy = await opened();
    const waiting = policy.execute(work, call).catch(error => error);
    await clock.advance(1);
    policy.hold('database', 'open');
    expect(await waiting).toMatchObject({ code: 'CIRCUIT_OPEN', facts: { held: true } });
    await expect(policy.execute(work, call)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN', facts: { held: true } });
    expect(clock.pending).toBe(0);
  });

  test('closed, it lets everything through, those that wait too', async () => {
    const policy = await opened({ maxAttempts: 1 });
    const waiting = policy.execute(work, call).catch(error => error);
    await clock.advance(1);
    policy.hold('database', 'closed');
    expect(await waiting).toBe(refused);
    expect(stateOf(policy)).toBe('held-closed');
  });

  test('let go, it judges again', async () => {
    const policy = build();
    policy.hold('database', 'open');
    policy.release('database');
    expect(await policy.execute(work, call)).toBe('done');
  });
});
