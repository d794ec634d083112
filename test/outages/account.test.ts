import { describe, expect, test } from 'vitest';
import { countRefused, drawAccount, type Observations } from './account.js';
import type { Ending } from './request-stream.js';
import { acknowledged, refused, sampleObservations } from './sample-observations.js';

const accountOf = (endings: readonly Ending[], seen: Partial<Observations> = {}) =>
  drawAccount(sampleObservations({ ...seen, endings }));

describe('an account', () => {
  test('counts what was acknowledged and what was refused', () => {
    const account = accountOf([acknowledged(), refused(), acknowledged({ status: undefined })]);
    expect(account).toMatchObject({ requests: 3, acknowledged: 1 });
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
    expect(accountOf([acknowledged(), refused({ beganAtMs: 5, endedAtMs: 105 })]).longestMs).toBe(100);
  });

  test('has the first success after the server was back, and no refusal for one', () => {
    const endings = [acknowledged({ endedAtMs: 90 }), refused({ endedAtMs: 110 }), acknowledged({ endedAtMs: 150 })];
    expect(accountOf(endings, { backAtMs: [100] }).firstSuccessMs).toBe(50);
  });

  test('has the 95th percentile of the first successes of many outages', () => {
    const backAtMs = Array.from({ length: 20 }, (_, index) => (index + 1) * 1_000);
    const endings = backAtMs.map((ms, index) => acknowledged({ endedAtMs: ms + index }));
    expect(accountOf(endings, { backAtMs }).firstSuccessMs).toBe(18);
  });

  test('has no first success when the server was never away', () => {
    expect(accountOf([acknowledged()]).firstSuccessMs).toBeUndefined();
  });

  test('allows retries for a share of the requests, and some for each second', () => {
    const endings = Array.from({ length: 100 }, () => acknowledged());
    expect(accountOf(endings, { elapsedMs: 10_000 }).retriesAllowed).toBeCloseTo(20 + 60);
  });
});
