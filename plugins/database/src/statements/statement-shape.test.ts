import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shapeOf, withParameters } from './statement-shape.js';

test.each([
  ["select * from a where b = 'hush' and c = 12.5e3", 'select * from a where b = ? and c = ?'],
  ["select  *\n\tfrom a -- hush\n where /* hush */ b = E'it\\'s hush'", 'select * from a where b = ?'],
  ["select 'it''s hush', $tag$hush $1 'x' $tag$, $$hush$$, U&'hush', B'101'", 'select ?, ?, ?, ?, ?'],
  [
    'select "b1", a1, t.c_2 from "hush""ed" where x = $1 and y = $2',
    'select "b1", a1, t.c_2 from "hush""ed" where x = ? and y = ?',
  ],
  ['select 1 from a where id in ($1, $2, $3)', 'select ? from a where id in (?, …)'],
  ['insert into a (b, c) values ($1, $2), ($3, $4), ($5, $6)', 'insert into a (b, c) values (?, …), …'],
  ['insert into a (b) values ($1), ($2)', 'insert into a (b) values (?), …'],
  [
    "select date'2026-01-01', interval '1 day', '{1,2}'::int[], array[1, 2]",
    'select date?, interval ?, ?::int[], array[?, …]',
  ],
  ["select 'not closed, hush", 'select ?'],
  ['select $a$ not closed, hush', 'select ?'],
  ['select 1 /* a /* comment in a */ hush */ from b', 'select ?'],
])('%s has the shape %s', (sql, text) => {
  expect(shapeOf(sql).text).toBe(text);
  expect(shapeOf(sql).id).toMatch(/^[0-9a-f]{8}$/);
});

test('statements that differ in values, rows and spaces have one shape, others have another', () => {
  const id = (sql: string) => shapeOf(sql).id;
  expect(id("select a from b where c = 'x'")).toBe(id('SELECT a\nFROM b WHERE c = $1'));
  expect(id('insert into a (b, c) values ($1, $2), ($3, $4)')).toBe(
    id('insert into a (b, c) values (1, 2), (3, 4), (5, 6)'),
  );
  expect(id('select a from b')).not.toBe(id('select a from c'));
});

test('whatever a text, a number or a comment holds, nothing of it is in the shape', () => {
  const secret = 'hush4711';
  const around = fc.string({ unit: fc.constantFrom('a', "''", ' ', '--', '/*', '"', '$', '1', '\n', ';') });
  fc.assert(
    fc.property(around, around, (before, after) => {
      const quoted = `'${before}${secret}${after}'`;
      expect(shapeOf(`select ${quoted} from a where b = ${quoted} and c = 1`).text).toBe(
        'select ? from a where b = ? and c = ?',
      );
    }),
  );
});

test('for a plan, values of the text become parameters after those that it has', () => {
  expect(withParameters("select a from b where c = $2 and d = 'hush' and e = $1 limit 10")).toBe(
    'select a from b where c = $2 and d = $3 and e = $1 limit $4',
  );
});
