import { expect, test } from 'vitest';
import { newId } from '../time-ordered-id.js';
import { cursorOf, idIn } from './page-cursor.js';

test('a cursor holds the id that it was made of', () => {
  const id = newId(new Date());
  expect(cursorOf(id)).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(idIn(cursorOf(id))).toBe(id);
});

test.each(['', '17', 'a'.repeat(23), '='.repeat(22)])('%j is no cursor', text => {
  expect(idIn(text)).toBeUndefined();
});
