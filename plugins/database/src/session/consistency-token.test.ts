import { expect, test } from 'vitest';
import { consistencyTokenOf, positionIn } from './consistency-token.js';

test('a token gives back the position it was made of, in text for a header and a cookie', () => {
  const token = consistencyTokenOf('7713412836608003398.1.0/A3C480');
  expect(token).toMatch(/^[\w-]+$/);
  expect(positionIn(token)).toBe('7713412836608003398.1.0/A3C480');
});

test('a token without a position is not empty, and has none', () => {
  expect(consistencyTokenOf(undefined)).toMatch(/^[\w-]+$/);
  expect(positionIn(consistencyTokenOf(undefined))).toBeUndefined();
});

test.each([
  '',
  '*',
  ' ',
  'x'.repeat(201),
  Buffer.from('a\0b').toString('base64url'),
  Buffer.from('ü').toString('base64'),
])('there is no position in %j', text => expect(positionIn(text)).toBeUndefined());
