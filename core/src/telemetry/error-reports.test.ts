import { expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.js';
import { AttachedFacts } from './attached-facts.js';
import { ErrorReports } from './error-reports.js';

test('an error object is reported once, also one that is frozen', () => {
  const reports = new ErrorReports(10, new FakeClock());
  const error = Object.freeze(new Error('once'));
  expect(reports.admit(error, 'work')).toEqual({ skipped: 0 });
  expect(reports.admit(error, 'work')).toBeUndefined();
  expect(reports.admit('text', 'work')).toEqual({ skipped: 0 });
  expect(reports.admit('text', 'work')).toEqual({ skipped: 0 });
});

test('of one kind and operation a minute has so many reports, and the next one says how many were left out', async () => {
  const clock = new FakeClock();
  const reports = new ErrorReports(2, clock);
  const admitted = () => reports.admit(new TypeError('again'), 'work');
  expect([admitted(), admitted(), admitted(), admitted()]).toEqual([
    { skipped: 0 },
    { skipped: 0 },
    undefined,
    undefined,
  ]);
  expect(reports.admit(new RangeError('another'), 'work')).toEqual({ skipped: 0 });
  expect(reports.admit(new TypeError('elsewhere'), 'other work')).toEqual({ skipped: 0 });
  await clock.advance(60_000);
  expect([admitted(), admitted(), admitted()]).toEqual([{ skipped: 2 }, { skipped: 0 }, undefined]);
});

test('kinds without end are counted together', () => {
  const reports = new ErrorReports(1, new FakeClock());
  for (let kind = 0; kind < 200; kind++) expect(reports.admit(new Error('no'), `work ${kind}`)).toBeDefined();
  expect(reports.admit(new Error('no'), 'one more')).toBeDefined();
  expect(reports.admit(new Error('no'), 'and one more')).toBeUndefined();
});

test('facts are read when an error is reported, and one that cannot be read takes no other along', () => {
  const facts = new AttachedFacts();
  let busy = 1;
  facts.attach('broken', () => {
    throw new Error('no');
  });
  const pool = facts.attach('pool', () => ({ busy }));
  expect(Object.fromEntries(facts.read())).toEqual({ pool: { busy: 1 } });
  busy = 2;
  expect(Object.fromEntries(facts.read())).toEqual({ pool: { busy: 2 } });
  pool[Symbol.dispose]();
  expect(facts.read().size).toBe(0);
});
