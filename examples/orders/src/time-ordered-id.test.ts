import { expect, test } from 'vitest';
import { firstIdAt, newId } from './time-ordered-id.js';

test('an id is a UUID of version 7, and begins with its time', () => {
  const id = newId(new Date(0x018b_cfe5_6800));
  expect(id).toMatch(/^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(newId(new Date())).not.toBe(newId(new Date()));
});

test('ids sort by their time, and none of a time is before the first', () => {
  const times = [0, 1, 1_700_000_000_000, Date.parse('9999-12-31T23:59:59.999Z')].map(ms => new Date(ms));
  const ids = times.flatMap(time => [firstIdAt(time), newId(time)]);
  expect(ids.toSorted()).toEqual(ids);
});
