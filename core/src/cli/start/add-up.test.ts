import { expect, test } from 'vitest';
import { addUp, gapsIn } from './add-up.js';

test('time that several spans share counts for the one that began first, so that all add up to the end', () => {
  const lines = addUp([
    { name: 'start http', from: 12, to: 20 },
    { name: 'start database', from: 10, to: 50 },
    { name: 'start orders', from: 45, to: 60 },
    { name: 'import all', from: 0, to: 10, modules: 3 },
  ]);
  expect(lines).toEqual([
    { name: 'import all', atMs: 0, tookMs: 10, addsMs: 10, modules: 3 },
    { name: 'start database', atMs: 10, tookMs: 40, addsMs: 40 },
    { name: 'start http', atMs: 12, tookMs: 8, addsMs: 0 },
    { name: 'start orders', atMs: 45, tookMs: 15, addsMs: 10 },
  ]);
});

test('spans of one name are one line, from when the first began', () => {
  const lines = addUp([
    { name: 'import a', from: 0, to: 10, modules: 2 },
    { name: 'plan', from: 10, to: 12 },
    { name: 'import a', from: 12, to: 13, modules: 1 },
  ]);
  expect(lines).toEqual([
    { name: 'import a', atMs: 0, tookMs: 11, addsMs: 11, modules: 3 },
    { name: 'plan', atMs: 10, tookMs: 2, addsMs: 2 },
  ]);
});

test('the gaps are the times in which nothing ran, before the first span and after the last as well', () => {
  const spans = [
    { from: 30, to: 40 },
    { from: 5, to: 20 },
    { from: 10, to: 15 },
  ];
  expect(gapsIn(spans, 45)).toEqual([
    { from: 0, to: 5 },
    { from: 20, to: 30 },
    { from: 40, to: 45 },
  ]);
});
