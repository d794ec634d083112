import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import type { Row } from './driver.js';
import { bodyLeavesState, LastingNames } from './lasting-names.js';

describe('a function whose body may leave a state', () => {
  test.each([
    "begin perform set_config('app.tenant', tenant, false); end",
    'begin set work_mem = 1; end',
    'begin if tenant is null then set role reader; end if; end',
    'begin update a set b = 1; /* why */ set search_path = c; end',
    "begin execute 'set role ' || name; end",
    "begin execute format('set %I = %L', name, value); end",
    'begin perform pg_advisory_lock(1); end',
    'begin create temp table rows (id int); end',
    'begin listen a_channel; end',
    "select set_config('a.b', 'x', false)",
  ])('has: %s', body => {
    expect(bodyLeavesState(body)).toBe(true);
  });

  test.each([
    "begin perform set_config('app.tenant', tenant, true); end",
    'begin set local work_mem = 1; end',
    'begin update a set b = 1; insert into a values (1) on conflict (b) do update set b = 2; end',
    "begin execute 'update ' || name || ' set b = 1'; end",
    'begin perform pg_advisory_xact_lock(1); end',
    'begin create temp table rows (id int) on commit drop; end',
    'declare temp int; begin select id into temp from rows; end',
    "begin perform set_config('app.tenant', tenant, is_local => true); end",
    '-- set role reader\nbegin perform pg_notify(a, b); end',
  ])('has not: %s', body => {
    expect(bodyLeavesState(body)).toBe(false);
  });
});

describe('names whose use leaves a state', () => {
  /** A database that answers the two questions, and knows `users` of each name. */
  function namesOf(found: { rows: Row[]; users?: Record<string, string[]>; isAway?: boolean }) {
    const clock = new FakeClock();
    const asked: string[] = [];
    const names = new LastingNames(clock, async ([statement]) => {
      asked.push(statement?.sql ?? '');
      if (found.isAway === true) throw new Error('away');
      const [given] = statement?.parameters ?? [];
      const { users = {} } = found;
      const rows = Array.isArray(given)
        ? given.flatMap(name => users[String(name)] ?? []).map(name => ({ name }))
        : [{ found: found.rows }];
      return [{ rows, command: 'SELECT', rowCount: rows.length }];
    });
    return { names, clock, asked, found, loan: { deadline: Deadline.after(1_000, clock) } };
  }

  test('are those of the functions that do so, and of all that uses them, as a word of its own', async () => {
    const { names } = namesOf({
      rows: [
        { name: 'set_tenant', body: "begin perform set_config('a.b', 'c', false); end" },
        { name: 'harmless', body: 'begin set local a.b = 1; end' },
        { name: 'a view', body: null },
      ],
      users: { set_tenant: ['on_insert'], on_insert: ['orders$'] },
    });
    await names.learn();
    for (const sql of [
      'select SET_TENANT(1)',
      'call "on_insert"()',
      'insert into "orders$" values (1)',
      'from "a view"',
    ])
      expect(names.leavesState(sql)).toBe(true);
    for (const sql of ['select harmless()', 'select reset_tenant(1)', 'select * from orders', 'select 1'])
      expect(names.leavesState(sql)).toBe(false);
    expect(names.nameIn('select set_tenant(1)')).toBe('set_tenant');
  });

  test('are asked for once where there are none, and not waited for again until this service defines something', async () => {
    const { names, asked, found, loan } = namesOf({ rows: [] });
    expect(names.known(loan)).toBeUndefined();
    await names.learn();
    expect([asked.length, names.known(loan), names.nameIn('select f()')]).toEqual([1, undefined, undefined]);
    found.rows.push({ name: 'f', body: null });
    names.outdate();
    await names.known(loan);
    expect([asked.length, names.known(loan), names.nameIn('select f()')]).toEqual([3, undefined, 'f']);
  });

  test('are waited for by all that come after a definition, and asked for again when they were being asked for', async () => {
    const { promise: answer, resolve: giveAnswer } = Promise.withResolvers<void>();
    const found: Row[] = [];
    let asked = 0;
    const clock = new FakeClock();
    const loan = { deadline: Deadline.after(1_000, clock) };
    const names = new LastingNames(clock, async () => {
      asked += 1;
      const rows = [{ found: [...found] }];
      if (asked === 2) await answer;
      return [{ rows, command: 'SELECT', rowCount: 1 }];
    });
    await names.learn();
    const old = names.learn();
    found.push({ name: 'f', body: null });
    names.outdate();
    const both = [names.known(loan), names.known(loan)];
    giveAnswer();
    await both[1];
    expect(names.nameIn('select f()')).toBe('f');
    await Promise.all([old, ...both]);
    expect(names.known(loan)).toBeUndefined();
  });

  test.each([
    ['its deadline', (clock: FakeClock) => clock.advance(1_000)],
    ['its end by the caller', (_: FakeClock, controller: AbortController) => controller.abort()],
  ])('are waited for by a loan until %s, when no answer comes', async (_, end) => {
    const clock = new FakeClock();
    const controller = new AbortController();
    let asked = 0;
    const names = new LastingNames(clock, () => {
      asked += 1;
      return asked === 1 ? Promise.resolve([]) : new Promise(() => {});
    });
    await names.learn();
    names.outdate();
    const known = names.known({ deadline: Deadline.after(1_000, clock), signal: controller.signal });
    await end(clock, controller);
    await expect(known).resolves.toBeUndefined();
    expect(asked).toBe(2);
  });

  test('are asked for again while nobody waits when they are old, and kept when they cannot be had', async () => {
    const { names, clock, found, loan } = namesOf({ rows: [{ name: 'f', body: null }] });
    await names.learn();
    await clock.advance(31_000);
    found.rows = [{ name: 'g', body: null }];
    expect(names.known(loan)).toBeUndefined();
    await names.learn();
    expect([names.nameIn('select f()'), names.nameIn('select g()')]).toEqual([undefined, 'g']);
    found.isAway = true;
    await names.learn();
    expect(names.nameIn('select g()')).toBe('g');
  });
});
