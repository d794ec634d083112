import { describe, expect, test } from 'vitest';
import { fold } from './fold.js';
import { columnsOf } from './process-terminal.js';

describe('a line that is wider than the terminal', () => {
  test('continues behind its indent, and keeps the spaces that align its columns', () => {
    expect(fold(`short\n  key    value ${'word '.repeat(10)}end`, 40)).toBe(
      ['short', '  key    value word word word word word', '      word word word word word end'].join('\n'),
    );
  });

  test('stays whole when it is one word', () => {
    const path = `/a/${'path/'.repeat(20)}`;
    expect(fold(`read ${path} again`, 40)).toBe(`read\n    ${path}\n    again`);
  });

  test('is left to a terminal of a few columns', () => {
    expect(fold('word '.repeat(20), 20)).toBe('word '.repeat(20));
  });
});

test('only a terminal has columns, and 80 when it does not know how many', () => {
  expect(columnsOf({ isTTY: true, columns: 100 })).toBe(100);
  expect(columnsOf({ isTTY: true, columns: 0 })).toBe(80);
  expect(columnsOf({ isTTY: false, columns: 100 })).toBeUndefined();
});
