import { FakeClock } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import { PreparedStatements, type Staleness } from './prepared-statements.js';

const sql = 'select * from t';

function preparing(staleness: Staleness) {
  const clock = new FakeClock();
  const statements = new PreparedStatements({ most: 10, clock, staleness, timeZone: () => 'UTC' });
  const use = () => {
    const used = statements.use({ sql, recurs: true });
    if (used?.name === '') statements.name(used);
    return used?.name;
  };
  use();
  return { clock, statements, use };
}

test('where a pooler keeps statements by their text, what became stale gets another text, on all connections', () => {
  const staleness: Staleness = { count: 0, textEnd: '' };
  const [one, other] = [preparing(staleness), preparing(staleness)];
  expect(one.statements.text(sql)).toBe(sql);
  const texts = new Set([sql]);
  for (let round = 0; round < 3; round++) {
    one.statements.becameStale();
    expect(one.statements.text(sql)).toMatch(/^select \* from t\n\/\* \w{8} \*\/$/);
    expect(other.statements.text(sql)).toBe(one.statements.text(sql));
    texts.add(one.statements.text(sql));
  }
  expect(texts.size).toBe(4);
});

test('elsewhere the name alone counts, and the text stays', () => {
  const { statements } = preparing({ count: 0 });
  statements.becameStale();
  expect(statements.text(sql)).toBe(sql);
});

test('what a pooler keeps is not parsed again after a time: it would only be found again', async () => {
  const byName = preparing({ count: 0 });
  const byText = preparing({ count: 0, textEnd: '' });
  const [first, kept] = [byName.use(), byText.use()];
  await byName.clock.advance(60_000);
  await byText.clock.advance(60_000);
  expect(byName.use()).not.toBe(first);
  expect(byText.use()).toBe(kept);
});
