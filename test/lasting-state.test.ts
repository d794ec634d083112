import type { DatabaseService } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { emptyPgliteDump } from '@keelson/test-support/empty-pglite';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { connectPostgresqlService, createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** What a database may have, each of which changes a setting, or takes a lock, when it is used. */
const definitions = [
  `create function set_tenant(tenant text) returns text language sql as $$ select set_config('app.tenant', tenant, false) $$`,
  `create function set_digits() returns void language plpgsql as $$ begin set extra_float_digits = 0; end $$`,
  `create function calls_it() returns void language plpgsql as $$ begin perform set_tenant('called'); end $$`,
  `create function built() returns void language plpgsql as $$ begin execute format('set %I = %L', 'app.tenant', 'x'); end $$`,
  `create function holds_lock() returns void language plpgsql as $$ begin perform pg_advisory_lock(77); end $$`,
  `create function has_rows() returns void language plpgsql as $$ begin create temp table own_rows (id int); end $$`,
  `create function standard() returns text begin atomic select set_config('app.tenant', 'standard', false); end`,
  `create procedure works() language plpgsql as $$ begin set work_mem = '9MB'; end $$`,
  'create table noted (id int primary key)',
  'create table part (noted_id int references noted on delete cascade)',
  `create function note() returns trigger language plpgsql as $$ begin perform set_config('app.tenant', 'noted', false); return null; end $$`,
  'create trigger note after insert or delete on part for each row execute function note()',
  `create view tenants as select set_config('app.tenant', 'seen', false) as tenant`,
  'create view all_tenants as select * from tenants',
  `create table ruled (id int, tenant text default set_tenant('ruled'))`,
  `create function polite() returns void language plpgsql as $$ begin perform set_config('app.tenant', 'x', true); end $$`,
  'create table plain (id int)',
];

class Define extends Migration {
  override up(): void {
    for (const sql of definitions) this.addSql(sql);
  }
}

const leaving = [
  'set extra_float_digits = 0',
  `set"work_mem" = '9MB'`,
  `/* /* */ */ set work_mem = '9MB'`,
  `select "set_config"('app.tenant', 'a', false)`,
  `update pg_settings set setting = '9999' where name = 'work_mem'`,
  `do $$ begin perform set_tenant('a'); end $$`,
  `select set_tenant('a')`,
  'select set_digits()',
  'select calls_it()',
  'select built()',
  'select holds_lock()',
  'select has_rows()',
  'select standard()',
  'call works()',
  'insert into noted values (1)',
  'insert into part values (1)',
  'delete from noted',
  'select * from all_tenants',
  'insert into ruled (id) values (1)',
];

const notLeaving = ['select polite()', 'insert into plain values (1)', `set local work_mem = '9MB'`, 'select 1'];

const stateOf = `select current_setting('extra_float_digits') as digits, current_setting('work_mem') as memory,
  coalesce(current_setting('app.tenant', true), '') as tenant, (select count(*)::int from pg_class where relnamespace = pg_my_temp_schema()) as rows,
  (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`;

let testDatabase: TestDatabase;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
});
afterAll(() => testDatabase[Symbol.asyncDispose]());

const models = [{ entities: [], migrations: [Define] }];
const options = { pool: { max: 1 } };

describe.each([
  ['PostgreSQL', async () => createPostgresqlService({ url: testDatabase.url, models, options })],
  ['PGlite', async () => createPgliteService({ models, dump: await emptyPgliteDump() })],
] as const)('on %s, the next session of a connection finds it as it was when fresh', (_, open) => {
  let database: DatabaseService;
  let fresh: unknown;

  const state = () => database.session(em => em.execute(stateOf));

  beforeAll(async () => {
    ({ database } = await open());
    await database.connect();
    fresh = await state();
    await database.migrate();
  }, 120_000);
  afterAll(() => database.disconnect());

  test.each(leaving)('after %s', async sql => {
    await database.session(em => em.execute(sql));
    expect(await state()).toEqual(fresh);
  });

  test('after a function that a session has made just before', async () => {
    const body = `begin execute 'se' || 't work_mem = 9999'; perform set_tenant('new'); end`;
    await database.session(em =>
      em.execute(`create or replace function made() returns void language plpgsql as $$ ${body} $$`),
    );
    await database.session(em => em.execute('select made()'));
    expect(await state()).toEqual(fresh);
  });

  test('and keeps the connection when nothing is left on it', async () => {
    await state();
    const { discarded, opened } = database.stats().counters;
    for (const sql of notLeaving) await database.session(em => em.execute(sql));
    expect(database.stats().counters).toMatchObject({ discarded, opened });
  });
});

test('behind a pooler, the use of such a function is refused before it is sent', async () => {
  await using service = await connectPostgresqlService({
    url: testDatabase.url,
    models,
    options: { engine: { capabilities: { 'session-state': false } } },
  });
  const { database } = service;
  const using = database.session(em => em.execute("select set_tenant('a')"));
  await expect(using).rejects.toMatchObject({ code: 'DATABASE_LASTING_STATE', facts: { by: 'set_tenant' } });
  await database.session(em => em.execute('select polite()'));
});
