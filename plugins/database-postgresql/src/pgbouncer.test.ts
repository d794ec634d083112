import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { hasPgbouncer, type Pgbouncer, pgbouncerVersion, startPgbouncer } from '@keelson/test-support/pgbouncer';
import { startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  createPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { queryOnce } from '@keelson/test-support/query-once';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** From 1.21 on it can keep prepared statements, and does so by default from 1.24 on. */
const keepsPrepared = pgbouncerVersion >= 1_024;

describe.skipIf(!hasPgbouncer)('behind PgBouncer in transaction mode', () => {
  let testDatabase: TestDatabase;
  let bouncer: Pgbouncer;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;
  let emails = 0;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    bouncer = await startPgbouncer({ to: testDatabase.url, poolSize: 3 });
    proxy = await startTcpProxy({ to: bouncer.url() });
    service = open({ pool: { pingAfterIdleMs: 60_000 } });
    database = service.database;
    await database.connect();
    await database.migrate();
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await proxy?.dispose();
    await bouncer?.dispose();
    await testDatabase?.[Symbol.asyncDispose]();
  });

  const open = (options: PostgresqlServiceOptions['options'] = {}) =>
    createPostgresqlService({ url: proxy.url(bouncer.url()), options });
  const nextEmail = () => `author-${++emails}@example.org`;
  const insert = (em: EntityManager, email = nextEmail()) => em.insert(Author, { email });
  const settingsIn = (em: EntityManager) =>
    em.execute<{ name: string; setting: string }[]>(
      `select name, setting from pg_settings
       where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by name`,
    );
  const asAdmin = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client(testDatabase.adminUrl);
    await client.connect();
    return work(client).finally(() => client.end());
  };
  const backends = () =>
    asAdmin(async client => {
      const sql = `select pid, state, query from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()`;
      return (await client.query(sql, [testDatabase.name])).rows;
    });

  test('a service finds the pooler, stores and reads, and says which promises are weaker', async () => {
    const email = nextEmail();
    await database.session(em => insert(em, email));
    expect(await database.read(em => em.count(Author, { email }))).toBe(1);
    const { pooler, pooling, capabilities, weaker } = database.engine;
    expect({ pooler, pooling }).toEqual({ pooler: 'pgbouncer', pooling: 'transaction' });
    for (const lacking of ['session-state', 'startup-parameters', 'listen'] as const)
      expect(capabilities).not.toContain(lacking);
    expect(capabilities.has('prepared-statements')).toBe(keepsPrepared);
    for (const there of ['cancel', 'commit-lookup', 'savepoints', 'copy', 'stream'] as const)
      expect(capabilities).toContain(there);
    expect(weaker.map(({ promise }) => promise).join()).toMatch(
      /set with each BEGIN.*got lost.*another instance migrates/,
    );
  });

  test('limits of statements ride with BEGIN: no round trip more, and none is left on the connection', async () => {
    const recording = proxy.recording();
    const inSession = await database.session(settingsIn);
    expect(recording.roundTrips).toBe(2);
    const inRead = await database.read(settingsIn);
    expect(recording.roundTrips).toBe(3);
    const limits = { idle_in_transaction_session_timeout: '60000', lock_timeout: '10000', statement_timeout: '30000' };
    for (const rows of [inSession, inRead])
      expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual(limits);
    const rows = await queryOnce(bouncer.url(), "select current_setting('statement_timeout') as value");
    expect(rows).toEqual([{ value: '0' }]);
  });

  test('a session of n statements has n + 1 round trips, a read n', async () => {
    const recording = proxy.recording();
    await database.session(async em => [await insert(em), await em.count(Author), await insert(em)]);
    expect(recording.roundTrips).toBe(4);
    recording.clear();
    await database.read(async em => [await em.count(Author), await em.count(Author)]);
    expect(recording.roundTrips).toBe(2);
  });

  test('a pooler that drops the limits instead of refusing them is seen through', async () => {
    const settings = {
      ignore_startup_parameters: 'statement_timeout, lock_timeout, idle_in_transaction_session_timeout',
    };
    await using dropping = await startPgbouncer({ to: testDatabase.url, settings });
    await using own = await connectPostgresqlService({ url: dropping.url(), options: { statementTimeoutMs: 1_000 } });
    const rows = await own.database.session(settingsIn);
    expect(rows.at(-1)).toEqual({ name: 'statement_timeout', setting: '1000' });
  });

  test('a statement over its time is ended by the server', async () => {
    await using own = open({ statementTimeoutMs: 1_000 });
    await own.database.connect();
    const beganAt = performance.now();
    for (const work of [
      () => own.database.session(em => em.execute('select pg_sleep(20)')),
      () => own.database.read(em => em.execute('select pg_sleep(20)')),
    ])
      await expect(work()).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'statement-timeout' });
    const tookMs = performance.now() - beganAt;
    expect(tookMs).toBeGreaterThanOrEqual(2_000);
    expect(tookMs).toBeLessThan(3_500);
  });

  const isPrepared = async () => {
    for (let count = 0; count < 20; count++) await database.read(em => em.count(Author));
    const sql = 'select count(*)::int as count from pg_prepared_statements';
    const [row] = await database.session(em => em.execute<{ count: number }[]>(sql));
    return row?.count !== 0;
  };

  test.skipIf(keepsPrepared)('no statement is prepared, however often it comes', async () => {
    expect(await isPrepared()).toBe(false);
  });

  test.runIf(keepsPrepared)('statements are prepared, and go on after their table was altered', async () => {
    expect(await isPrepared()).toBe(true);
    const read = () => database.read(em => em.execute('select * from author limit 1'));
    for (let count = 0; count < 10; count++) await read();
    await asAdmin(client => client.query('alter table author add column added integer'));
    for (let count = 0; count < 10; count++) await read();
    await asAdmin(client => client.query('alter table author drop column added'));
    for (let count = 0; count < 10; count++) await read();
  });

  test.each([
    ['set search_path = pg_catalog', 'SET'],
    ['listen news', 'LISTEN'],
    ['prepare p as select 1', 'PREPARE'],
    ['create temporary table t (i int)', 'TEMPORARY'],
    ['select pg_advisory_lock(1)', 'PG_ADVISORY_LOCK'],
  ])('what would leave a state for others is refused: %s', async (sql, by) => {
    const refusal = { code: 'DATABASE_LASTING_STATE', facts: { by } };
    await expect(database.session(em => em.execute(sql))).rejects.toMatchObject(refusal);
  });

  test('what ends with the transaction is not refused', async () => {
    await database.session(async em => {
      await em.execute('set local search_path = public');
      await em.execute("select set_config('app.tenant', 'a', true), pg_advisory_xact_lock(1)");
      await em.execute('create temporary table t (i int) on commit drop');
    });
  });

  test('savepoints, streams and COPY work', async () => {
    await database.session(async em => {
      await insert(em);
      await database
        .transaction(async inner => {
          await insert(inner);
          throw new Error('only this part fails');
        })
        .catch(() => {});
    });
    const rows = Array.from({ length: 2_500 }, () => ({ email: nextEmail() }));
    expect(await database.bulkInsert(Author, rows)).toMatchObject({ done: 2_500 });
    let read = 0;
    await database.read(async em => {
      for await (const _ of em.stream(Author, { chunkSize: 100 })) if (++read === 250) break;
    });
    expect(read).toBe(250);
    await eventually(() => expect(database.stats().busy).toBe(0));
  });

  test('a COMMIT that is cut off is looked up: what was stored is a success, what was not is done again', async () => {
    for (const when of ['before', 'after'] as const) {
      const email = nextEmail();
      const cut = proxy.onceAtCommit(when);
      await database.session(em => insert(em, email));
      await cut;
      expect(await database.read(em => em.count(Author, { email }))).toBe(1);
    }
  });

  test('a deadline cancels the statement on the server', async () => {
    const late = database.session(em => em.execute('select pg_sleep(61)'), { timeoutMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
    await eventually(async () => expect((await backends()).filter(({ state }) => state === 'active')).toEqual([]));
  });

  test('of several hosts, the one that takes writes now is used, whatever the server said when the pooler started', async () => {
    await using server = await startPostgres();
    const address = await server.createDatabase(testDatabase.name);
    await using before = await startPgbouncer({ to: address, settings: { server_login_retry: 1 } });
    await using now = await startPgbouncer({ to: testDatabase.url });
    const client = new pg.Client(before.url());
    await client.connect();
    await client.end();
    await server.query('alter system set default_transaction_read_only = on');
    await server.restart();
    const both = `${before.host}:${before.port},${now.host}:${now.port}`;
    const url = now.url().replace(`${now.host}:${now.port}`, both);
    await using own = await connectPostgresqlService({ url: `${url}?target_session_attrs=read-write` });
    const email = nextEmail();
    await own.database.session(em => insert(em, email), { retry: 'never' });
    expect(await database.read(em => em.count(Author, { email }))).toBe(1);
  });

  test('a pause in a transaction for too long ends the session, which does not run again', async () => {
    let attempts = 0;
    const slow = database.session(
      async em => {
        attempts++;
        await em.execute('select 1');
        const [row] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
        await eventually(async () => expect((await backends()).map(({ pid }) => pid)).not.toContain(row?.pid));
        await em.execute('select 2');
      },
      { idleTimeoutMs: 100 },
    );
    await expect(slow).rejects.toMatchObject({ code: 'DATABASE_CONNECTION_LOST', facts: { sqlState: '25P03' } });
    expect(attempts).toBe(1);
  });

  test('a deadline cancels a statement also when the pooler lets it wait for a connection until then', async () => {
    await using narrow = await startPgbouncer({ to: testDatabase.url, poolSize: 1 });
    await using own = await connectPostgresqlService({
      url: narrow.url(),
      options: { session: { cancelGraceMs: 10_000 } },
    });
    await own.database.session(em => em.execute('select 1'));
    const holder = new pg.Client(narrow.url());
    await holder.connect();
    await holder.query('begin');
    const late = own.database.session(em => em.execute('select pg_sleep(62)'), { timeoutMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
    await eventually(() => expect(narrow.log()).toMatch(/cancel request for idle client/));
    await holder.query('commit');
    await holder.end();
    await eventually(() => expect(own.database.stats()).toMatchObject({ busy: 0, idle: 1 }));
    const running = { state: 'active', query: expect.stringContaining('pg_sleep(62)') };
    expect(await backends()).not.toContainEqual(expect.objectContaining(running));
  });

  test('a backend that ends is an outage of one connection', async () => {
    const running = database.session(async em => {
      const [row] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      if (++attempts === 1) await asAdmin(client => client.query('select pg_terminate_backend($1)', [row?.pid]));
      return em.execute('select 1 as one');
    });
    let attempts = 0;
    expect(await running).toEqual([{ one: 1 }]);
    expect(attempts).toBe(2);
  });

  test.each([
    ['a wrong password', 'password', { password: 'wrong' }],
    ['an unknown user', 'password', { username: 'nobody' }],
    ['a database that does not exist', 'database-missing', { pathname: '/missing' }],
  ] as const)('%s is reported at once', async (_, kind, change) => {
    await using strict = await startPgbouncer({ to: testDatabase.url, databases: [testDatabase.name] });
    const url = Object.assign(new URL(strict.url()), change).href;
    await using own = createPostgresqlService({ url });
    await expect(own.database.connect()).rejects.toMatchObject({ code: 'DATABASE_CONNECT_FAILED', facts: { kind } });
  });

  test('a pooler that is full, or has no connection to the server, is an outage that passes', async () => {
    const settings = { max_client_conn: 2, query_wait_timeout: 1 };
    await using narrow = await startPgbouncer({ to: testDatabase.url, settings });
    await using own = createPostgresqlService({ url: narrow.url(), options: { connect: { timeoutMs: 1_500 } } });
    const holders = [1, 2].map(() => new pg.Client(narrow.url()));
    for (const holder of holders) await holder.connect();
    await expect(own.database.connect()).rejects.toMatchObject({ facts: { kind: 'full', sqlState: '53300' } });
    for (const holder of holders) await holder.end();
    await narrow.command('pause');
    await expect(own.database.connect()).rejects.toMatchObject({ facts: { kind: 'behind-pooler' } });
    await narrow.command('resume');
    await own.database.connect();
  });
});
