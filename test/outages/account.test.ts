import { describe, expect, test } from 'vitest';
import { countRefused, drawAccount, type Observations } from './account.js';
import type { Ending } from './request-stream.js';
import type { Vitals } from './vitals.js';

const vitals: Vitals = {
  pid: 1,
  heapMb: 30,
  pool: { total: 2, idle: 2, busy: 0, waiting: 0 },
  breaker: 'closed',
  waitingCalls: 0,
  calls: 0,
  attempts: 0,
  retries: 0,
  budgetLeft: 30,
};

const ending = (given: Partial<Ending>): Ending => ({
  way: 'orders',
  quantity: 1,
  beganAtMs: 0,
  endedAtMs: 10,
  status: 201,
  code: undefined,
  waitSeconds: undefined,
  ...given,
});

const refused = (given: Partial<Ending>) => ending({ status: 503, code: 'DOWN', waitSeconds: 1, ...given });

function accountOf(endings: readonly Ending[], seen: Partial<Observations> = {}) {
  const ledger = {
    attempted: endings.length,
    acknowledged: 0,
    lost: [],
    duplicated: [],
    refusedButStored: [],
    unacknowledgedButStored: [],
    unknown: [],
  };
  return drawAccount({
    endings,
    ledger,
    backAtMs: [],
    begun: 0,
    before: vitals,
    after: vitals,
    elapsedMs: 0,
    retriesPerSecond: 3,
    ...seen,
  });
}

describe('an account', () => {
  test('tells what was acknowledged, refused and cut', () => {
    const account = accountOf([ending({}), refused({}), ending({ status: undefined })]);
    expect(account).toMatchObject({ requests: 3, acknowledged: 1, cut: 1 });
    expect(countRefused(account)).toBe(1);
  });

  test('groups refusals that are alike, and keeps the longest wait', () => {
    const endings = [
      refused({ waitSeconds: 1 }),
      refused({ waitSeconds: 3 }),
      refused({ way: 'sessions', waitSeconds: 0 }),
    ];
    const account = accountOf(endings);
    expect(account.refused).toEqual([
      { way: 'orders', status: 503, code: 'DOWN', count: 2, waitSeconds: 3 },
      { way: 'sessions', status: 503, code: 'DOWN', count: 1, waitSeconds: 0 },
    ]);
    expect(countRefused(account, 'sessions')).toBe(1);
  });

  test('has the longest request, however it ended', () => {
    expect(accountOf([ending({}), refused({ beganAtMs: 5, endedAtMs: 105 })]).longestMs).toBe(100);
  });

  test('has the first success after the server was back, and no refusal for one', () => {
    const endings = [ending({ endedAtMs: 90 }), refused({ endedAtMs: 110 }), ending({ endedAtMs: 150 })];
    expect(accountOf(endings, { backAtMs: [100] }).firstSuccessMs).toBe(50);
  });

  test('has the 95th percentile of the first successes of many outages', () => {
    const backAtMs = Array.from({ length: 20 }, (_, index) => (index + 1) * 1_000);
    const endings = backAtMs.map((ms, index) => ending({ endedAtMs: ms + index }));
    expect(accountOf(endings, { backAtMs }).firstSuccessMs).toBe(18);
  });

  test('has no first success when the server was never away', () => {
    expect(accountOf([ending({})]).firstSuccessMs).toBeUndefined();
  });

  test('allows retries for a share of the calls, and some for each second', () => {
    const after = { ...vitals, calls: 100 };
    expect(accountOf([ending({})], { after, elapsedMs: 10_000 }).retriesAllowed).toBeCloseTo(20 + 60);
  });
});
