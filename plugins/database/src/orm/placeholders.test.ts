import { describe, expect, test } from 'vitest';
import { templateOf } from './placeholders.js';

describe('a value becomes a parameter', () => {
  test.each([
    ['select * from "a" where "b" = ? and "c" >= ?', 'select * from "a" where "b" = $1 and "c" >= $2'],
    ['select * from "a" where "b" in (?, ?) limit ?', 'select * from "a" where "b" in ($1, $2) limit $3'],
    [
      'select * from "a" where ("b", "c") in ((?, ?), (?, ?))',
      'select * from "a" where ("b", "c") in (($1, $2), ($3, $4))',
    ],
    ['select * from "a" where "b" between ? and ? offset ?', 'select * from "a" where "b" between $1 and $2 offset $3'],
    [
      'select * from "a" where "b" like ? or not "c" ilike ?',
      'select * from "a" where "b" like $1 or not "c" ilike $2',
    ],
    [
      'insert into "a" ("b", "c") values (?, default), (?, ?)',
      'insert into "a" ("b", "c") values ($1, default), ($2, $3)',
    ],
    [
      'insert into a values (?) on conflict (b) where (c = 1) do update set d = ?',
      'insert into a values ($1) on conflict (b) where (c = 1) do update set d = $2',
    ],
    ['select * from "a" where "b" = ?::interval', 'select * from "a" where "b" = $1::interval'],
    ['insert into a values (?) on conflict do nothing', 'insert into a values ($1) on conflict do nothing'],
    [
      'update "a" set "b" = ?, "c" = "c" - ? where "d" = ? returning "b"',
      'update "a" set "b" = $1, "c" = "c" - $2 where "d" = $3 returning "b"',
    ],
    ['delete from "a" where "b" = ?', 'delete from "a" where "b" = $1'],
    [
      `select * from "a" where "b" @> ?::jsonb and 'text' = "c"`,
      `select * from "a" where "b" @> $1::jsonb and 'text' = "c"`,
    ],
    ['select * from "a" where "b" \\? \'c\' and "d" = ?', 'select * from "a" where "b" ? \'c\' and "d" = $1'],
    [
      'select * from "a" left join "b" on "c" = ? left join "d" on "e" = ? order by "f" = ? desc',
      'select * from "a" left join "b" on "c" = $1 left join "d" on "e" = $2 order by "f" = $3 desc',
    ],
  ])('%s', (sql, expected) => {
    expect(templateOf(sql)?.sql).toBe(expected);
  });

  test('beside arithmetic only a number, whose type is its own', () => {
    expect(templateOf('update "a" set "b" = "b" + ? where "c" = ?')?.slots).toEqual(['number', 'any']);
  });
});

describe('a value stays in the text', () => {
  test.each([
    ['in the list of columns', 'select ? as "a"'],
    ['as an argument', `select jsonb_build_object('a', ?)`],
    ['before IS NULL', 'select * from "a" where ? is null'],
    ['beside another value', 'select * from "a" where ? = ?'],
    ['as a position of ORDER BY', 'select * from "a" order by ?'],
    ['as a position of ORDER BY, second', 'select * from "a" order by "b", ?'],
    ['in a literal of a named type', 'select * from "a" where "b" > interval ?'],
    ['with GROUP BY', 'select "a" = ? from "b" group by "a" = ?'],
    ['with DISTINCT', 'select distinct "a" = ? from "b" order by "a" = ?'],
    ['with a window', 'select * from "a" where "b" = ? and rank() over (order by "c") > 1'],
    ['in a CASE', 'update "a" set "b" = case when "c" = ? then ? else "b" end'],
    ['in VALUES that are no INSERT', 'select * from (values (?, ?)) as "v"'],
    ['in a subquery of IN', 'select * from "a" where "b" in (select ?)'],
    ['inside a text', `select * from "a" where "b" = 'c?' and "d" = ?`],
    ['inside a name', 'select * from "a?" where "d" = ?'],
    ['as a name', 'select ?? from "a"'],
    ['in a text with comments', 'select * from "a" /* b */ where "c" = ?'],
    ['in a text with comments of a line', 'select * from "a" -- b\n where "c" = ?'],
    ['in several commands', 'delete from "a" where "b" = ?; delete from "c"'],
    ['in SET', 'set local "a" = ?'],
    ['in CREATE', 'create table "a" (b int default ?)'],
    ['between dollars', 'select * from "a" where "b" = $$c$$ and "d" = ?'],
    ['with a backslash', `select * from "a" where "b" like ? escape '\\'`],
    ['as the condition of a partial index', 'insert into a values (?) on conflict (b) where (c = ?) do nothing'],
    ['before the fields of an interval', 'select * from "a" where "b" = ?::interval year'],
    ['as a precision', 'select * from "a" where "b" = 1::numeric(?)'],
  ])('%s', (_, sql) => {
    expect(templateOf(sql)).toBeUndefined();
  });
});
