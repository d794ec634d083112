import { expect, test } from 'vitest';
import { totalCentsOf } from './order-total.js';

test('a total is the exact sum of all lines', () => {
  expect(totalCentsOf([])).toBe(0);
  expect(
    totalCentsOf([
      { quantity: 3, unitPriceCents: 10 },
      { quantity: 1, unitPriceCents: 20 },
    ]),
  ).toBe(50);
});

test('a total is exact also at the limits of an order', () => {
  const largest = Array.from({ length: 100 }, () => ({ quantity: 10_000, unitPriceCents: 100_000_000 }));
  expect(totalCentsOf(largest)).toBe(100_000_000_000_000);
  expect(Number.isSafeInteger(totalCentsOf(largest))).toBe(true);
});
