import { FakeClock } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { CockatielBreaker } from './cockatiel-breaker.js';
import { type BreakerOptions, policySchema } from './options.js';

const boom = new Error('boom');
let clock: FakeClock;
let moves: string[];

beforeEach(() => {
  clock = new FakeClock();
  moves = [];
});

function build(options: Partial<BreakerOptions> = {}): CockatielBreaker {
  const breaker = policySchema.parse({ breaker: options }).breaker;
  return new CockatielBreaker({ options: breaker, clock, random: () => 0, onMove: to => moves.push(to) });
}

type Availability = 'up' | 'down' | 'unknown';

function finish(breaker: CockatielBreaker, ...verdicts: Availability[]): void {
  for (const availability of verdicts) {
    const permit = breaker.admit();
    if (permit !== undefined) breaker.settle(permit, { availability }, boom);
  }
}

const down = (times: number): Availability[] => Array.from({ length: times }, () => 'down');

/** Open, with its break over: the next attempt is a probe. */
async function afterBreak(options: Partial<BreakerOptions> = {}): Promise<CockatielBreaker> {
  const breaker = build(options);
  finish(breaker, ...down(5));
  await clock.advance(breaker.breakLeftMs());
  return breaker;
}

describe('by the failure rate', () => {
  test('opens at the rate, not before the minimum of finished attempts', () => {
    const breaker = build({ failureRate: 0.5, minimumCalls: 6, consecutiveFailures: 0 });
    finish(breaker, 'up', 'up', 'down', 'down', 'down');
    expect(breaker.state).toBe('closed');
    finish(breaker, 'down');
    expect(breaker.state).toBe('open');
    expect(breaker.lastCause).toBe(boom);
  });

  test('stays closed below the rate', () => {
    const breaker = build({ failureRate: 0.5, minimumCalls: 5 });
    finish(breaker, 'up', 'up', 'up', 'up', ...down(3));
    expect(breaker.state).toBe('closed');
    finish(breaker, 'down');
    expect(breaker.state).toBe('open');
  });

  test.each([
    [1, 1_000],
    [7, 3_000],
    [21, 5_000],
    [999, 60_000],
  ])('opens with %i failures of as many within %i ms when every one must fail', (minimumCalls, windowMs) => {
    const breaker = build({ failureRate: 1, minimumCalls, windowMs, consecutiveFailures: 0 });
    finish(breaker, ...down(minimumCalls - 1));
    expect(breaker.state).toBe('closed');
    finish(breaker, 'down');
    expect(breaker.state).toBe('open');
  });

  test('trap: cockatiel turns its windows by the wall clock, and one a call; here what is older is forgotten', async () => {
    const breaker = build();
    finish(breaker, ...down(4));
    await clock.advance(1_000);
    finish(breaker, 'down');
    expect(breaker.state).toBe('closed');
  });
});

test('by failures in a row: a success in between resets the count, however long they take', async () => {
  const breaker = build({ consecutiveFailures: 3, minimumCalls: 100 });
  finish(breaker, 'down', 'down', 'up', 'down', 'down');
  expect(breaker.state).toBe('closed');
  await clock.advance(60_000);
  finish(breaker, 'down');
  expect(breaker.state).toBe('open');
});

test('by failures in a row, although the successes of a moment ago still outnumber them', () => {
  const breaker = build();
  finish(breaker, ...Array.from({ length: 100 }, () => 'up' as const), ...down(6));
  expect(breaker.state).toBe('closed');
  finish(breaker, 'down');
  expect(breaker.state).toBe('open');
});

test('what says nothing of the target counts neither way', () => {
  const breaker = build({ consecutiveFailures: 2 });
  finish(breaker, 'down', 'unknown', 'unknown');
  expect(breaker.state).toBe('closed');
  finish(breaker, 'down');
  expect(breaker.state).toBe('open');
});

describe('after the break', () => {
  test('one attempt at a time finds out, and its success closes', async () => {
    const breaker = await afterBreak();
    const probe = breaker.admit();
    expect(probe?.probe).toBe(true);
    expect(breaker.admit()).toBeUndefined();
    if (probe !== undefined) breaker.settle(probe, { availability: 'up' });
    expect(moves).toEqual(['open', 'half-open', 'closed']);
    finish(breaker, ...down(4));
    expect(breaker.state).toBe('closed');
  });

  test('each failed probe doubles the break, up to the longest', async () => {
    const breaker = await afterBreak({ breakMs: 200, maxBreakMs: 700 });
    const breaks: number[] = [];
    for (let probe = 0; probe < 3; probe++) {
      finish(breaker, 'down');
      breaks.push(breaker.breakLeftMs());
      await clock.advance(breaker.breakLeftMs());
    }
    expect(breaks).toEqual([400, 700, 700]);
    finish(breaker, 'up', ...down(5));
    expect(breaker.breakLeftMs()).toBe(200);
  });

  test('trap: cockatiel closes on a probe that says nothing; here the next attempt probes again', async () => {
    const breaker = await afterBreak();
    finish(breaker, 'unknown');
    expect(breaker.state).toBe('half-open');
    expect(breaker.admit()?.probe).toBe(true);
  });

  test('trap: a hung probe cannot lock the breaker', async () => {
    const breaker = await afterBreak({ maxBreakMs: 1_000 });
    const hung = breaker.admit();
    await clock.advance(999);
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(1);
    const next = breaker.admit();
    expect(next?.probe).toBe(true);
    if (hung !== undefined) breaker.settle(hung, { availability: 'up' });
    expect(breaker.state).toBe('half-open');
  });

  test('trap: an attempt from before the break does not open it again', async () => {
    const breaker = build();
    const old = breaker.admit();
    finish(breaker, ...down(5));
    await clock.advance(breaker.breakLeftMs());
    breaker.admit();
    if (old !== undefined) breaker.settle(old, { availability: 'down' });
    expect(breaker.state).toBe('half-open');
  });

  test('the break is as long as the target asks, when that is longer', async () => {
    const breaker = await afterBreak();
    const probe = breaker.admit();
    if (probe !== undefined) breaker.settle(probe, { availability: 'down', retryAfterMs: 9_000 });
    expect(breaker.breakLeftMs()).toBe(9_000);
  });
});
