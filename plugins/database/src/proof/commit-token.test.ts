import { expect, test } from 'vitest';
import { firstTokenAt, newToken } from './commit-token.js';

test('tokens are UUIDs of version 7, all different, and in the order of their times', () => {
  const times = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 4_000_000_000_000];
  const tokens = times.map(newToken);
  for (const token of tokens)
    expect(token).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(tokens.toSorted()).toEqual(tokens);
  expect(new Set(Array.from({ length: 1_000 }, () => newToken(1))).size).toBe(1_000);
});

test('a bound is above the tokens of each time before it, and below those of its own', () => {
  const bound = firstTokenAt(1_700_000_000_000);
  for (let count = 0; count < 100; count += 1) {
    expect(newToken(1_699_999_999_999) < bound).toBe(true);
    expect(newToken(1_700_000_000_000) > bound).toBe(true);
  }
});
