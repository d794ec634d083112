import { expect, test } from 'vitest';
import { assertLeavesNoState, lastingStateIn } from './no-lasting-state.js';

test.each([
  ['set search_path = a', 'SET'],
  ['/* first */ set role admin', 'SET'],
  ['listen news', 'LISTEN'],
  ['prepare p as select 1', 'PREPARE'],
  ['create temp table t (i int)', 'TEMP'],
  ['create temporary table t (i int)', 'TEMPORARY'],
  ['select 1 into temp t', 'TEMP'],
  ['select pg_advisory_lock(1)', 'PG_ADVISORY_LOCK'],
  ["select set_config('a.b', 'c', false)", 'SET_CONFIG'],
  ['declare c cursor with hold for select 1', 'WITH HOLD'],
  ['do $$ begin set search_path = a; end $$', 'SET'],
  ['do $$ begin update t set a = 1; /* then */ set role b; end $$', 'SET'],
  ["do $$ begin perform set_config('a.b', 'c', false); end $$", 'SET_CONFIG'],
  ['create table t (i int); set search_path = a; select 1', 'SET'],
])('%s leaves a state', (text, by) => {
  expect(lastingStateIn(text)).toBe(by);
});

test.each([
  'set local search_path = a',
  'set constraints all deferred',
  "select set_config('a.b', 'c', true)",
  'select pg_advisory_xact_lock(1)',
  'create temp table t (i int) on commit drop',
  "insert into log values ('set x; pg_advisory_lock')",
  'select 1 -- set x',
  'create function f() returns void language sql set search_path = a as $$ select set_config($1, $2, false) $$',
  "do $$ begin execute 'create table t (i int)'; end $$",
  'alter role r set search_path = a',
  'update t set temp = 1',
  'do $$ begin update t set a = 1; end $$',
  'do $$ begin insert into t values (1) on conflict (a) do update set b = 1; end $$',
])('%s leaves none that is seen', text => {
  expect(lastingStateIn(text)).toBeUndefined();
  expect(() => assertLeavesNoState(text)).not.toThrow();
});
