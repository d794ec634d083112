import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RetryBudget } from './retry-budget.js';

const options = { share: 0.2, floorPerSecond: 1, windowMs: 10_000 };

function take(budget: RetryBudget, now: number): boolean {
  const reserved = budget.reserve(now);
  if (reserved) budget.spend(now);
  return reserved;
}

test('allows a floor of retries without any call', () => {
  const budget = new RetryBudget(options, 0);
  const taken = Array.from({ length: 20 }, () => take(budget, 0)).filter(Boolean);
  expect(taken).toHaveLength(10);
  expect(budget.left(0)).toBe(0);
});

test('earns a share of each call', () => {
  const budget = new RetryBudget({ ...options, floorPerSecond: 0 }, 0);
  for (let call = 0; call < 10; call++) budget.earn(0);
  expect([take(budget, 0), take(budget, 0), take(budget, 0)]).toEqual([true, true, false]);
});

test('forgets calls and retries after its window', () => {
  const budget = new RetryBudget({ ...options, floorPerSecond: 0 }, 0);
  for (let call = 0; call < 10; call++) budget.earn(0);
  expect(budget.left(8_000)).toBe(2);
  expect(budget.left(11_000)).toBe(0);
});

test('lets retries be made again once those before are out of its window', () => {
  const budget = new RetryBudget(options, 0);
  for (let retry = 0; retry < 10; retry++) take(budget, 0);
  expect(take(budget, 8_000)).toBe(false);
  expect(budget.left(11_000)).toBe(10);
});

test('what is set aside cannot be had twice, and can be had again once it is released', () => {
  const budget = new RetryBudget({ ...options, floorPerSecond: 0.1 }, 0);
  expect([budget.reserve(0), budget.reserve(0), budget.left(0)]).toEqual([true, false, 0]);
  budget.release();
  expect([budget.left(0), budget.reserve(0)]).toEqual([1, true]);
});

test('what is set aside stays so until it is spent, however long that takes', () => {
  const budget = new RetryBudget({ ...options, floorPerSecond: 0.1 }, 0);
  budget.reserve(0);
  expect(budget.left(60_000)).toBe(0);
  budget.spend(60_000);
  expect(budget.left(65_000)).toBe(0);
  expect(budget.left(75_000)).toBe(1);
});

test('goes by new options and keeps what was spent', () => {
  const budget = new RetryBudget(options, 0);
  for (let retry = 0; retry < 10; retry++) take(budget, 0);
  budget.configure({ ...options, floorPerSecond: 1.2 });
  expect(budget.left(0)).toBe(2);
});

test('no retry is granted that exceeds the floor and the share of the calls of its window', () => {
  const step = fc.record({ waitMs: fc.integer({ min: 0, max: 3_000 }), calls: fc.nat(20), retries: fc.nat(20) });
  const law = fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const budget = new RetryBudget(options, 0);
    const calls: number[] = [];
    const retries: number[] = [];
    let now = 0;
    const within = (times: readonly number[], ms: number) => times.filter(at => at > now - ms).length;
    for (const { waitMs, calls: more, retries: wanted } of steps) {
      now += waitMs;
      for (let call = 0; call < more; call++) {
        budget.earn(now);
        calls.push(now);
      }
      for (let retry = 0; retry < wanted && take(budget, now); retry++) {
        retries.push(now);
        // Nine slots are remembered whole, the tenth in part.
        expect(within(retries, 9_000)).toBeLessThanOrEqual(10 + 0.2 * within(calls, 10_000) + 1e-9);
      }
    }
  });
  fc.assert(law);
});
