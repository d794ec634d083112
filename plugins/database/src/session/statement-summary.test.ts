import { describe, expect, test } from 'vitest';
import { summaryOf } from './statement-summary.js';

describe('a statement is summed up as its command and its first table', () => {
  test.each([
    ['select "o0".* from "orders" as "o0" where "o0"."id" = $1', 'SELECT orders'],
    ['insert into "shop"."orders" ("sku") values ($1) returning "id"', 'INSERT orders'],
    ['update "orders" set "sku" = $1', 'UPDATE orders'],
    ['delete from only orders', 'DELETE orders'],
    ['  -- from nowhere\n select 1', 'SELECT'],
    ['/* from hush */ select 1 from orders', 'SELECT orders'],
    ['with found as (select id from orders) select * from found', 'SELECT orders'],
    ['with w as (select * from jsonb_to_recordset($1) as w (a int)) update stock set a = w.a from w', 'UPDATE stock'],
    [
      'with recursive w as (select (1 + (2)) from a), x as (select 1) insert into "b" ("c") select * from w',
      'INSERT b',
    ],
    ['with w as (', 'WITH'],
    ['select * from generate_series(1, 2)', 'SELECT'],
    ['select * from shop.prices($1) join orders on true', 'SELECT'],
    ['create table if not exists orders (id int)', 'CREATE orders'],
    ['begin isolation level serializable', 'BEGIN'],
    ['commit', 'COMMIT'],
    ['(select 1)', 'SELECT'],
    ['', 'OTHER'],
    ['$1', 'OTHER'],
  ])('%s', (sql, text) => {
    expect(summaryOf(sql).text).toBe(text);
    expect(summaryOf(sql)).toBe(summaryOf(sql));
  });
});

describe('no value of a statement is in its summary', () => {
  test.each([
    "select 'x from hush'",
    "select e'it\\'s from hush'",
    "select 'it''s from hush'",
    "select 'a\\', ' from hush'",
    'select $$ from hush $$',
    'select $a$ from hush $a$',
    "select 'unterminated from hush",
    "notify channel, 'hush'",
    "set app.user = 'hush'",
    'select * from "a user\'s hush table"',
    `select '${'x'.repeat(1_990)} from hush'`,
  ])('%s', sql => {
    expect(summaryOf(sql).text).not.toContain('hush');
  });
});
