import { describe, expect, test } from 'vitest';
import { differenceOf, median, ratioOf } from './statistics.js';

describe('the statistics of the bench', () => {
  test('the median of an even count is between the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
  });

  test('a ratio compares within each round, so that a slow round changes it no more than any other', () => {
    expect(ratioOf([2, 20, 3], [1, 10, 2])).toEqual({ median: 2, lowest: 1.5, highest: 2 });
  });

  test('a round in which the baseline has no figure is left out', () => {
    expect(ratioOf([2, 5], [1, 0])).toEqual({ median: 2, lowest: 2, highest: 2 });
  });

  test('a difference is as large in either direction', () => {
    expect(differenceOf(1.25)).toBe(0.25);
    expect(differenceOf(0.8)).toBe(0.25);
    expect(differenceOf(1)).toBe(0);
  });
});
