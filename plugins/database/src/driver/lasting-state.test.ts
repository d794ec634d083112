import { describe, expect, test } from 'vitest';
import { leavesState } from './lasting-state.js';

describe('a statement that may leave state on its connection', () => {
  test.each([
    'set search_path = other',
    '/* why */ -- so\n; SET ROLE reader',
    'set session authorization reader',
    "set time zone 'UTC'",
    'set session characteristics as transaction read only',
    "select set_config('app.tenant', 'it''s, true)', false)",
    "select set_config('a.b', lower($1), $2)",
    "select set_config('a.b', 'x', true), set_config('c.d', 'y', false)",
    'select pg_advisory_lock(1)',
    'select * from jobs where pg_try_advisory_lock_shared(id)',
    'create temp table rows (id int)',
    'create or replace temporary view rows as select 1',
    'select 1 as one into temporary table rows',
    'create table pg_temp.rows (id int)',
    'listen channel',
    'prepare query as select 1',
    'declare rows cursor with hold for select 1',
    "load 'auto_explain'",
    'select setseed(0.5)',
    "select dblink_connect('far', 'dbname=far')",
    'do $$ begin set role reader; end $$',
    "do $$ begin perform set_config('a.b', 'x', false); end $$",
  ])('is: %s', sql => {
    expect(leavesState(sql)).toBe(true);
  });

  test.each([
    'set local search_path = other',
    'set transaction isolation level serializable',
    'set constraints all deferred',
    'reset all',
    "select set_config('app.tenant', 'it''s', true)",
    'select set_config($1, coalesce($2, (null)), TRUE)',
    'select pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)',
    'select pg_advisory_unlock(1)',
    'create temp table rows (id int) on commit drop',
    'update author set name = $1',
    'select temp, setting from weather',
    'insert into temp values (1)',
    'declare rows cursor for select 1',
    "notify channel, 'listen'",
    'unlisten channel',
    "do $$ begin raise 'no'; end $$",
  ])('is not: %s', sql => {
    expect(leavesState(sql)).toBe(false);
  });

  test('is found in a long text in a time that grows with its length only', () => {
    const startedAt = performance.now();
    for (const text of ['set_config(', '/*', '*', 'create temp ', "'", 'into ', '-- ', '\n', 'do ', ' '])
      for (const before of ['', 'select pg_temp.', '/*', 'do ']) leavesState(before + text.repeat(20_000));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
