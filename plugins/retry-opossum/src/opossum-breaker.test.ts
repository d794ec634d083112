import { FakeClock } from '@keelson/core/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BreakerMove, Outcome, Permit } from './circuit-breaker.js';
import { OpossumBreaker } from './opossum-breaker.js';
import { type BreakerOptions, policySchema } from './options.js';

const up: Outcome = { availability: 'up', durationMs: 1 };
const down: Outcome = { availability: 'down', durationMs: 1, cause: new Error('down') };
const unknown: Outcome = { availability: 'unknown', durationMs: 1, cause: new Error('unknown') };
/** `random` that never cuts a break short. */
const uncut = () => 0;

let clock: FakeClock;
let moves: BreakerMove[];

beforeEach(() => {
  clock = new FakeClock();
  moves = [];
});

function build(options: Partial<BreakerOptions> = {}, random = uncut): OpossumBreaker {
  const defaults = { ...policySchema.parse({}).breaker, breakMs: 200 };
  return new OpossumBreaker({
    options: { ...defaults, ...options },
    clock,
    random,
    onMove: move => moves.push(move),
  });
}

function admitted(breaker: OpossumBreaker): Permit {
  const permit = breaker.admit();
  if (permit === undefined) throw new Error(`the breaker is ${breaker.state} and admits nothing`);
  return permit;
}

/** Asks and reports once for each outcome. */
function make(breaker: OpossumBreaker, ...outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) breaker.settle(admitted(breaker), outcome);
}

function times(count: number, outcome: Outcome): Outcome[] {
  return Array.from({ length: count }, () => outcome);
}

async function opened(options: Partial<BreakerOptions> = {}, random = uncut): Promise<OpossumBreaker> {
  const breaker = build(options, random);
  make(breaker, ...times(options.minimumCalls ?? 5, down));
  expect(breaker.state).toBe('open');
  return breaker;
}

async function halfOpen(options: Partial<BreakerOptions> = {}): Promise<[OpossumBreaker, Permit]> {
  const breaker = await opened(options);
  await clock.advance(200);
  return [breaker, admitted(breaker)];
}

describe('trap: opossum opens on the first failure', () => {
  test('stays closed until the minimum of attempts has finished', () => {
    const breaker = build({ minimumCalls: 5 });
    make(breaker, ...times(4, down));
    expect(breaker.state).toBe('closed');
    make(breaker, down);
    expect(breaker.state).toBe('open');
  });
});

describe('trap: opossum counts calls in flight, refusals and cached calls in its rate', () => {
  test('opens on the rate of finished attempts, however many slow ones are in flight', () => {
    const breaker = build({ minimumCalls: 15, consecutiveFailures: 0 });
    for (let inFlight = 0; inFlight < 100; inFlight++) breaker.admit();
    make(breaker, ...times(15, down));
    expect(breaker.state).toBe('open');
  });

  test('opens at the failure rate itself, also at 100 %', () => {
    const half = build({ minimumCalls: 4, failureRate: 0.5 });
    make(half, up, up, down, down);
    expect(half.state).toBe('open');
    const all = build({ minimumCalls: 4, failureRate: 1 });
    make(all, ...times(4, down));
    expect(all.state).toBe('open');
  });

  test('stays closed below the failure rate', () => {
    const breaker = build({ minimumCalls: 4, consecutiveFailures: 0 });
    make(breaker, ...times(51, up), ...times(50, down));
    expect(breaker.state).toBe('closed');
  });

  test('forgets what is older than its window', async () => {
    const breaker = build({ minimumCalls: 4, windowMs: 1_000 });
    make(breaker, ...times(3, down));
    await clock.advance(1_100);
    make(breaker, down);
    expect(breaker.state).toBe('closed');
    make(breaker, ...times(3, down));
    expect(breaker.state).toBe('open');
  });

  test('an attempt slower than the threshold counts as failed, even when it succeeded', () => {
    const breaker = build({ minimumCalls: 4, slowCallMs: 1_000 });
    make(breaker, ...times(4, { ...up, durationMs: 1_000 }));
    expect(breaker.state).toBe('open');
    const patient = build({ minimumCalls: 4, slowCallMs: 0 });
    make(patient, ...times(4, { ...up, durationMs: 60_000 }));
    expect(patient.state).toBe('closed');
  });
});

describe('trap: opossum counts its own bulkhead refusals as failures', () => {
  test('an outcome that says nothing of the target counts neither way', () => {
    const breaker = build({ minimumCalls: 5 });
    make(breaker, ...times(100, unknown), ...times(4, down));
    expect(breaker.state).toBe('closed');
    make(breaker, down);
    expect(breaker.state).toBe('open');
  });
});

describe('trap: opossum closes a half-open breaker on any error that is filtered', () => {
  test('only proof of health closes a half-open breaker', async () => {
    const [breaker, probe] = await halfOpen();
    breaker.settle(probe, unknown);
    make(breaker, unknown, unknown);
    expect(breaker.state).toBe('half-open');
    make(breaker, up, up);
    expect(breaker.state).toBe('closed');
  });

  test('an error from a target that is well is such a proof', async () => {
    const [breaker, probe] = await halfOpen({ probes: 1 });
    breaker.settle(probe, { ...up, cause: new Error('unique violation') });
    expect(breaker.state).toBe('closed');
  });

  test('a probe that succeeds too slowly is none', async () => {
    const [breaker, probe] = await halfOpen({ slowCallMs: 1_000 });
    breaker.settle(probe, { ...up, durationMs: 2_000 });
    expect(breaker.state).toBe('open');
  });

  test('an attempt that began before the break proves nothing after it', async () => {
    const breaker = build();
    const early = admitted(breaker);
    make(breaker, ...times(5, down));
    await clock.advance(200);
    admitted(breaker);
    breaker.settle(early, up);
    breaker.settle(early, down);
    expect(breaker.state).toBe('half-open');
  });

  test('nor does its failure count against a target that is back', async () => {
    const breaker = build({ probes: 1 });
    const early = Array.from({ length: 5 }, () => admitted(breaker));
    make(breaker, ...times(5, down));
    await clock.advance(200);
    make(breaker, up);
    for (const permit of early) breaker.settle(permit, down);
    expect(breaker.state).toBe('closed');
  });
});

describe('trap: opossum makes one probe and closes on its first success', () => {
  test('lets several probes through, and no more', async () => {
    const [breaker] = await halfOpen({ probes: 3 });
    admitted(breaker);
    admitted(breaker);
    expect(breaker.admit()).toBeUndefined();
  });

  test('closes when that many have succeeded', async () => {
    const [breaker, probe] = await halfOpen({ probes: 3 });
    breaker.settle(probe, up);
    make(breaker, up);
    expect(breaker.state).toBe('half-open');
    make(breaker, up);
    expect(breaker.state).toBe('closed');
  });

  test('opens again at the first probe that fails', async () => {
    const [breaker, probe] = await halfOpen({ probes: 3 });
    make(breaker, up);
    breaker.settle(probe, down);
    expect(breaker.state).toBe('open');
    expect(breaker.admit()).toBeUndefined();
  });

  test('a permit settled twice counts once', async () => {
    const [breaker, probe] = await halfOpen({ probes: 2 });
    breaker.settle(probe, up);
    breaker.settle(probe, up);
    expect(breaker.state).toBe('half-open');
  });
});

describe('trap: a hung probe leaves opossum half-open for ever', () => {
  test('a probe without an answer in time has failed, and the next break follows', async () => {
    const [breaker, probe] = await halfOpen({ probes: 1, probeTimeoutMs: 1_000 });
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(1_000);
    expect(breaker.admit()).toBeUndefined();
    expect(breaker.state).toBe('open');
    breaker.settle(probe, up);
    expect(breaker.state).toBe('open');
    await clock.advance(200);
    expect(breaker.admit()).toMatchObject({ probe: true });
  });
});

describe('trap: opossum’s break has a fixed length', () => {
  const options = { breakMs: 100, breakShareOfOutage: 0.5, maxBreakMs: 400, probes: 1 };

  test('breaks grow with the outage, up to the longest', async () => {
    const breaker = await opened(options);
    const breaks: number[] = [];
    for (let round = 0; round < 8; round++) {
      breaks.push(Math.round(breaker.breakLeftMs()));
      await clock.advance(breaker.breakLeftMs());
      make(breaker, down);
    }
    expect(breaks).toEqual([100, 100, 100, 150, 225, 338, 400, 400]);
  });

  test('breaks begin short again after the target was well', async () => {
    const breaker = await opened(options);
    await clock.advance(100);
    make(breaker, up, ...times(5, down));
    expect(breaker.breakLeftMs()).toBe(100);
  });

  test('jitter cuts a break by up to half, so that instances do not probe together', async () => {
    expect((await opened({ breakMs: 200 }, () => 0)).breakLeftMs()).toBe(200);
    expect((await opened({ breakMs: 200 }, () => 0.5)).breakLeftMs()).toBe(150);
    expect((await opened({ breakMs: 200 }, () => 0.999_999)).breakLeftMs()).toBeCloseTo(100, 2);
  });

  test('a break is at least as long as the target asked for', async () => {
    const breaker = build({ minimumCalls: 1 });
    make(breaker, { ...down, retryAfterMs: 3_000 });
    expect(breaker.breakLeftMs()).toBe(3_000);
  });
});

describe('trap: opossum keeps the failures of the outage when it closes', () => {
  test('one failure after recovery does not open it again', async () => {
    const [breaker, probe] = await halfOpen({ probes: 1, windowMs: 60_000 });
    breaker.settle(probe, up);
    make(breaker, ...times(4, down));
    expect(breaker.state).toBe('closed');
  });
});

describe('trap: opossum computes statistics for every failing call', () => {
  test('an attempt that is refused or late touches no statistics', async () => {
    const breaker = await opened();
    const before = process.cpuUsage();
    for (let refusal = 0; refusal < 200_000; refusal++) breaker.admit();
    const { user, system } = process.cpuUsage(before);
    // opossum with its defaults spends up to 40 ms of CPU on one; 20 us is the most that all of a refusal may cost.
    expect((user + system) / 200_000).toBeLessThan(20);
  });
});

describe('trap: opossum sets timers and keeps some after its shutdown', () => {
  // Node's own timers, those that let the process end included: opossum knows nothing of our clock.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test('neither a closed, an open nor a half-open breaker holds a timer', async () => {
    build();
    expect(vi.getTimerCount()).toBe(0);
    const breaker = await opened();
    expect(vi.getTimerCount()).toBe(0);
    await clock.advance(200);
    expect(breaker.admit()).toMatchObject({ probe: true });
    expect(vi.getTimerCount() + clock.pending).toBe(0);
  });

  test('after its shutdown nothing is left, and nothing is let through', async () => {
    const breaker = await opened();
    breaker.shutdown();
    expect(vi.getTimerCount() + clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(breaker.admit()).toBeUndefined();
  });
});

describe('trap: opossum writes into the options it is given', () => {
  test('the options are left as they were', () => {
    const options = Object.freeze(policySchema.parse({}).breaker);
    expect(() => new OpossumBreaker({ options, clock, random: uncut })).not.toThrow();
  });
});

describe('moves', () => {
  test('each is announced once, with the break and the failure that caused it', async () => {
    const [breaker, probe] = await halfOpen({ probes: 1 });
    breaker.settle(probe, up);
    expect(moves).toEqual([
      { from: 'closed', to: 'open', breakMs: 200, cause: down.cause },
      { from: 'open', to: 'half-open' },
      { from: 'half-open', to: 'closed' },
    ]);
  });

  test('describe returns the state, its age, what is left of the break, and the last cause', async () => {
    const breaker = await opened();
    await clock.advance(50);
    const times = { sinceMs: 50, notClosedMs: 50, breakLeftMs: 150 };
    const report = { state: 'open', ...times, breaks: 1, lastCause: down.cause };
    expect(breaker.describe()).toEqual(report);
  });
});

describe('how long it has not been closed', () => {
  test('counts from its first break, through probes in vain, until it closes', async () => {
    const [breaker, probe] = await halfOpen({ probes: 1 });
    breaker.settle(probe, down);
    expect(breaker.describe()).toMatchObject({ state: 'open', sinceMs: 0, notClosedMs: 200 });
    await clock.advance(200);
    breaker.settle(admitted(breaker), up);
    expect(breaker.describe().notClosedMs).toBe(0);
  });

  test('counts while it is held open, and not while it is held closed', async () => {
    const breaker = build();
    await clock.advance(1_000);
    breaker.hold('open');
    await clock.advance(50);
    expect(breaker.describe().notClosedMs).toBe(50);
    breaker.hold('closed');
    expect(breaker.describe().notClosedMs).toBe(0);
  });
});

describe('held by hand', () => {
  test('open, it admits nothing, however long', async () => {
    const breaker = build();
    breaker.hold('open');
    await clock.advance(3_600_000);
    expect(breaker.admit()).toBeUndefined();
    expect(breaker.breakLeftMs()).toBe(Number.POSITIVE_INFINITY);
  });

  test('held again as it is, it announces nothing', () => {
    const breaker = build();
    breaker.hold('open');
    breaker.hold('open');
    expect(moves).toEqual([{ from: 'closed', to: 'held-open' }]);
  });

  test('closed, it admits everything, whatever fails', () => {
    const breaker = build();
    breaker.hold('closed');
    make(breaker, ...times(100, down));
    expect(breaker.state).toBe('held-closed');
  });

  test('let go, it is closed and follows its own rules again', async () => {
    const breaker = await opened();
    breaker.hold('open');
    breaker.hold(undefined);
    expect(breaker.state).toBe('closed');
    make(breaker, ...times(5, down));
    expect(breaker.state).toBe('open');
    breaker.hold(undefined);
    expect(breaker.state).toBe('open');
  });
});

describe('changed while running', () => {
  test('keeps its state and goes by the new options', async () => {
    const breaker = await opened({ probes: 1 });
    breaker.configure({ ...policySchema.parse({}).breaker, probes: 1, minimumCalls: 2 });
    expect(breaker.state).toBe('open');
    await clock.advance(200);
    make(breaker, up, down, down);
    expect(breaker.state).toBe('open');
  });
});

describe('failures in a row', () => {
  test('open it although the successes of a moment ago still outnumber them', () => {
    const breaker = build();
    make(breaker, ...times(100, up), ...times(6, down));
    expect(breaker.state).toBe('closed');
    make(breaker, down);
    expect(breaker.state).toBe('open');
    expect(moves).toMatchObject([{ from: 'closed', to: 'open', cause: down.cause }]);
  });

  test('open it where too few calls come in for a rate', async () => {
    const breaker = build();
    for (let failure = 0; failure < 7; failure++) {
      expect(breaker.state).toBe('closed');
      make(breaker, down);
      await clock.advance(60_000);
    }
    expect(breaker.state).not.toBe('closed');
  });

  test('are broken by a success, and not by what says nothing', () => {
    const breaker = build({ failureRate: 1 });
    make(breaker, up, ...times(6, down), up, ...times(6, down), unknown);
    expect(breaker.state).toBe('closed');
    make(breaker, down);
    expect(breaker.state).toBe('open');
  });

  test('of an outage that is over do not count', async () => {
    const [breaker, probe] = await halfOpen({ minimumCalls: 9, consecutiveFailures: 10, probes: 1 });
    breaker.settle(probe, up);
    make(breaker, down);
    expect(breaker.state).toBe('closed');
  });

  test('never open it with 0', () => {
    const breaker = build({ consecutiveFailures: 0 });
    make(breaker, ...times(100, up), ...times(50, down));
    expect(breaker.state).toBe('closed');
  });
});
