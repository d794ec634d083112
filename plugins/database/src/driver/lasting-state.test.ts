import { describe, expect, test } from 'vitest';
import { hasDefined, hasLeftState, leavesState } from './lasting-state.js';

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
    `select "set_config"('a.b', 'x', false)`,
    "select set_config /* why */ ('a.b', 'x', false)",
    `select U&"set\\005fconfig"('a.b', 'x', false)`,
    "update pg_settings set setting = '1' where name = 'work_mem'",
    'create table "pg_temp".rows (id int)',
    'create/**/temp table rows (id int)',
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
    "select set_config('a.b', 'x', is_local => true)",
    "select set_config(setting_name => 'a.b', new_value => 'x', is_local := true::boolean)",
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

  const resultsOf = (...commands: string[]) => commands.map(command => ({ command, rows: [], rowCount: undefined }));

  test.each([
    ['/* /* */ */ set work_mem = 1', 'SET'],
    ['set"work_mem" = 1', 'SET'],
    ['set/**/work_mem = 1', 'SET'],
    ['/* /* */ */ listen a_channel', 'LISTEN'],
    ['/* /* */ */ prepare query as select 1', 'PREPARE'],
    ['declare rows cursor with/**/hold for select 1', 'DECLARE'],
  ])('is known by its answer: %s', (sql, command) => {
    expect(hasLeftState([{ sql }], resultsOf(command))).toBe(true);
  });

  test.each([
    ['set local work_mem = 1', 'SET'],
    ['set transaction read only', 'SET'],
    ['set constraints all deferred', 'SET'],
    ['declare rows cursor for select 1', 'DECLARE'],
    ["prepare transaction 'a'", 'PREPARE'],
    ['select 1', 'SELECT'],
  ])('is not, by its answer: %s', (sql, command) => {
    expect(hasLeftState([{ sql: 'begin' }, { sql }], resultsOf('BEGIN', command))).toBe(false);
  });

  test('is told apart in a text of several statements, and so is what defines something', () => {
    const sql = 'set local a.b = 1; set a.c = 2; create table d ()';
    expect(hasLeftState([{ sql }], resultsOf('SET', 'SET', 'CREATE'))).toBe(true);
    expect(hasDefined([{ sql }], resultsOf('SET', 'CREATE'))).toBe(true);
    expect(hasDefined([{ sql: 'insert into a values (1)' }], resultsOf('BEGIN', 'INSERT'))).toBe(false);
  });

  test.each([
    ['CREATE', 'create temp table rows (id int) on commit drop', false],
    ['CREATE', 'create temp table rows (id int); create table other ()', true],
    ['DO', 'do $$ begin update a set b = 1; end $$', false],
    ['DO', "do $$ begin execute 'create table a ()'; end $$", true],
  ])('defines something that others see: %s %s', (command, sql, defines) => {
    const results = sql.split('; create').flatMap(() => resultsOf(command));
    expect(hasDefined([{ sql }], results)).toBe(defines);
  });

  test('is found in a long text in a time that grows with its length only', () => {
    const startedAt = performance.now();
    for (const text of [
      'set_config(',
      'create/*',
      'create ',
      'update ',
      '/*',
      '*',
      'create temp ',
      "'",
      'into ',
      '-- ',
      '\n',
      'do ',
      ' ',
    ])
      for (const before of ['', 'select pg_temp.', '/*', 'do ']) leavesState(before + text.repeat(20_000));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
