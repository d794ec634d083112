import { expect, test } from 'vitest';
import { Ring } from './ring.js';

test('keeps the latest values in their order, and no more', () => {
  const ring = new Ring<number>(3);
  expect(ring.values()).toEqual([]);
  for (let value = 1; value <= 8; value++) {
    ring.push(value);
    expect(ring.values()).toEqual(
      Array.from({ length: Math.min(value, 3) }, (_, index) => value - Math.min(value, 3) + index + 1),
    );
  }
  expect(ring.length).toBe(3);
});
