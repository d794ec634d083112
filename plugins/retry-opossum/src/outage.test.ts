import { Deadline, isKeelsonError } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { seededNumbers } from '@keelson/test-support/seeded-numbers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';

interface Outage {
  readonly seed: number;
  readonly callsPerSecond: number;
  readonly outageMs: number;
  readonly deadlineMs: number;
  /** How long the target takes to fail; `Infinity` for one that swallows what it is sent. */
  readonly failsAfterMs?: number;
}

const warmUpMs = 5_000;

/** Steady traffic to a target that goes away for a while and comes back. Attempts that reach it take 5 ms. */
async function live({ seed, callsPerSecond, outageMs, deadlineMs, failsAfterMs = 1 }: Outage) {
  const clock = new FakeClock();
  const policy = new OpossumRetryPolicy({ clock, random: seededNumbers(seed) });
  const downAt = warmUpMs;
  const upAt = downAt + outageMs;
  const isDown = () => clock.now() >= downAt && clock.now() < upAt;
  const sentAt: number[] = [];
  const succeededAt: number[] = [];
  const work = async (attempt: { signal: AbortSignal }) => {
    sentAt.push(clock.now());
    if (isDown()) await (failsAfterMs === Number.POSITIVE_INFINITY ? never(attempt.signal) : clock.sleep(failsAfterMs));
    else await clock.sleep(5);
    if (isDown()) throw new Error('connection refused');
    succeededAt.push(clock.now());
  };
  const calls: Promise<{ code: string; lateMs: number }>[] = [];
  const arrive = () => {
    const deadline = Deadline.after(deadlineMs, clock);
    const call = policy.execute(work, { name: 'database.session', idempotent: true, deadline });
    const ended = (code: string) => ({ code, lateMs: clock.now() - deadline.at });
    calls.push(
      call.then(
        () => ended('done'),
        error => ended(isKeelsonError(error) ? error.code : 'raw'),
      ),
    );
    if (clock.now() < upAt + 3_000) clock.schedule(1_000 / callsPerSecond, arrive);
  };
  arrive();
  await clock.advance(upAt + 3_000 + deadlineMs + 1_000);
  const ends = await Promise.all(calls);
  return {
    calls: ends.length,
    failed: ends.filter(({ code }) => code !== 'done').length,
    codes: new Set(ends.map(({ code }) => code)),
    latestMs: Math.max(...ends.map(({ lateMs }) => lateMs)),
    firstSuccessMs: Math.min(...succeededAt.filter(at => at >= upAt)) - upAt,
    sentWhileDown: sentAt.filter(at => at >= downAt && at < upAt).length,
    timersLeft: clock.pending,
  };
}

describe('an outage of 3 s under 50 calls/s with a deadline of 10 s', () => {
  test('fails no call, and is noticed to be over within 250 ms (p95 of 20)', async () => {
    const firstSuccesses: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const outcome = await live({ seed, callsPerSecond: 50, outageMs: 3_000 + seed * 7, deadlineMs: 10_000 });
      expect(outcome).toMatchObject({ failed: 0, timersLeft: 0 });
      expect(outcome.sentWhileDown).toBeLessThan(150);
      firstSuccesses.push(outcome.firstSuccessMs);
    }
    firstSuccesses.sort((a, b) => a - b);
    expect(firstSuccesses[18]).toBeLessThanOrEqual(250);
  });
});

describe('an outage of 3 s', () => {
  test('fails no call that is alone with it while the successes of a moment ago still count', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const clock = new FakeClock();
      const policy = new OpossumRetryPolicy({ clock, random: seededNumbers(seed) });
      let isDown = false;
      const call = () => {
        const deadline = Deadline.after(10_000, clock);
        return policy.execute(
          async () => {
            if (isDown) throw new Error('connection refused');
          },
          { name: 'database.session', idempotent: true, deadline },
        );
      };
      for (let before = 0; before < 100; before++) await call();
      isDown = true;
      const alone = call();
      alone.catch(() => {});
      await clock.advance(3_000);
      isDown = false;
      await clock.advance(7_000);
      await expect(alone).resolves.toBeUndefined();
    }
  });

  test('fails no call of a service that makes one a second', async () => {
    expect(await live({ seed: 1, callsPerSecond: 1, outageMs: 3_000, deadlineMs: 10_000 })).toMatchObject({
      failed: 0,
    });
  });

  test('fails no call of a service that makes a thousand a second', async () => {
    expect(await live({ seed: 1, callsPerSecond: 1_000, outageMs: 3_000, deadlineMs: 10_000 })).toMatchObject({
      failed: 0,
    });
  });
});

describe('any outage', () => {
  test('no call outlives its deadline, the target is spared, and nothing is left behind', async () => {
    const outages = fc.record({
      seed: fc.integer(),
      callsPerSecond: fc.integer({ min: 1, max: 100 }),
      outageMs: fc.integer({ min: 1, max: 20_000 }),
      deadlineMs: fc.integer({ min: 1, max: 5_000 }),
      failsAfterMs: fc.constantFrom(0, 1, 100, Number.POSITIVE_INFINITY),
    });
    const law = fc.asyncProperty(outages, async outage => {
      const outcome = await live(outage);
      expect(outcome.latestMs).toBeLessThanOrEqual(0);
      expect(outcome.timersLeft).toBe(0);
      expect(outcome.codes).not.toContain('raw');
    });
    await fc.assert(law, { numRuns: 15 });
  }, 60_000);
});

/** Rejects when `signal` aborts, and never otherwise. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
