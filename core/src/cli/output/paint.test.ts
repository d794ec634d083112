import { expect, test } from 'vitest';
import { paint } from './paint.js';

const terminal = { isTTY: true, hasColors: () => true } as unknown as NodeJS.WriteStream;
const pipe = { isTTY: false } as unknown as NodeJS.WriteStream;

test('only a terminal gets colours, and only where they help to find the place', () => {
  const text = 'keelson.yaml:1:2  CONFIG_SYNTAX\n  plain\n  -> Fix the line.';
  expect(paint(text, pipe)).toBe(text);
  const painted = paint(text, terminal);
  expect(painted.split(String.fromCharCode(27))).toHaveLength(5);
  expect(painted).toContain('\n  plain\n');
});
