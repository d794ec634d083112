import { expect, test } from 'vitest';
import { LiveLine } from './live-line.js';

function lineOn(stream: { isTTY?: boolean; columns?: number }) {
  const time = { ms: 0 };
  const written: string[] = [];
  const line = new LiveLine({ ...stream, write: text => written.push(text) }, () => time.ms);
  return { line, time, written };
}

test('a terminal shows one line, which the next one replaces, and other text takes its place', () => {
  const { line, time, written } = lineOn({ isTTY: true, columns: 20 });
  line.clear();
  line.show('1 of 3');
  line.show('too soon');
  time.ms += 100;
  line.show('a text that is longer than the terminal is wide');
  line.clear();
  line.clear();
  expect(written).toEqual(['\r\u001b[K1 of 3', '\r\u001b[Ka text that is long', '\r\u001b[K']);
});

test('a terminal that does not know its width is taken for one of 80 columns', () => {
  const { line, written } = lineOn({ isTTY: true, columns: 0 });
  line.show('x'.repeat(100));
  expect(written).toEqual([`\r\u001b[K${'x'.repeat(79)}`]);
});

test('elsewhere a line is printed every few seconds', () => {
  const { line, time, written } = lineOn({});
  for (; time.ms <= 11_000; time.ms += 1_000) line.show(`after ${time.ms}`);
  line.clear();
  expect(written).toEqual(['after 0\n', 'after 5000\n', 'after 10000\n']);
});
