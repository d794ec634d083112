import { expect, test } from 'vitest';
import { titleOf } from './title-of.js';

test.each([
  ['its first line', 'Milk\nand bread', 'Milk'],
  ['its first line that is not empty', '\n  \n Milk ', 'Milk'],
  ['the beginning of a long line', 'abcdefghijk', 'abcdefghi…'],
])('the title of a text is %s', (_rule, text, title) => {
  expect(titleOf(text, 10)).toBe(title);
});
