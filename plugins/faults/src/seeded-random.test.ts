import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from './seeded-random.js';

const take = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, random);
};

test('the same seed gives the same numbers, from 0 up to 1', () => {
  const law = fc.property(fc.integer(), seed => {
    const numbers = take(seed, 50);
    expect(take(seed, 50)).toEqual(numbers);
    expect(numbers.every(number => number >= 0 && number < 1)).toBe(true);
  });
  fc.assert(law);
});

test('any two seeds give different numbers', () => {
  const law = fc.property(fc.integer(), fc.integer(), (one, other) => {
    fc.pre(one !== other);
    expect(take(one, 5)).not.toEqual(take(other, 5));
  });
  fc.assert(law);
});

test('the numbers are spread evenly', () => {
  const law = fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), (seed, bound) => {
    const share = take(seed, 10_000).filter(number => number < bound).length / 10_000;
    expect(Math.abs(share - bound)).toBeLessThan(0.03);
  });
  fc.assert(law);
});
