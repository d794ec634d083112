import { expect, test } from 'vitest';
import { Logins } from './logins.js';

test('a cookie is valid until its time is over, also for the next process, and for no other token', () => {
  const logins = new Logins('a-token-of-the-console', 60_000);
  const cookie = logins.cookieAt(1_000_000);
  expect(logins.isCookie(cookie, 1_059_999)).toBe(true);
  expect(logins.isCookie(cookie, 1_060_000)).toBe(false);
  expect(new Logins('a-token-of-the-console', 60_000).isCookie(cookie, 1_000_001)).toBe(true);
  expect(new Logins('another-token-of-it', 60_000).isCookie(cookie, 1_000_001)).toBe(false);
});
