import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.js';

const options = { initialDelayMs: 100, maxDelayMs: 2_000 };

test('the bound doubles from the first wait up to the longest', () => {
  const bounds = [1, 2, 3, 4, 5, 6, 7].map(retry => backoffMs(retry, options, () => 1));
  expect(bounds).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
});

test('chance picks anywhere between nothing and the bound', () => {
  const law = fc.property(
    fc.integer({ min: 1, max: 5_000 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (retry, chance) => {
      const delayMs = backoffMs(retry, options, () => chance);
      expect(delayMs).toBe(chance * backoffMs(retry, options, () => 1));
      expect(delayMs).toBeLessThanOrEqual(2_000);
    },
  );
  fc.assert(law);
});
