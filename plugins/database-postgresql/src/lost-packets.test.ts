import type { DatabaseService } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** A proxy that stops forwarding on its open connections is a middlebox that has forgotten their flows. */
describe('a statement whose packets were lost', () => {
  let testDatabase: TestDatabase;
  let proxy: TcpProxy;
  let admin: pg.Client;
  let service: PostgresqlService;
  let database: DatabaseService;
  const silentAfterMs = 150;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    proxy = await startTcpProxy({ to: testDatabase.url });
    admin = new pg.Client(testDatabase.adminUrl);
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await proxy.dispose();
    await testDatabase[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    service = createPostgresqlService({
      url: proxy.url(),
      options: { pool: { max: 3, silentAfterMs, pingAfterIdleMs: 60_000 } },
    });
    database = service.database;
    await database.connect();
    await database.migrate();
    await admin.query('truncate author');
  });
  afterEach(() => service[Symbol.asyncDispose]());

  const insert = (email: string, whenInside: (attempt: number) => unknown = () => {}) =>
    database.session(async (em, session) => {
      await em.execute('select 1 as one');
      await whenInside(session.attempt);
      await em.insert(Author, { email });
      return session.attempt;
    });
  const stored = async (email: string) =>
    (await admin.query('select 1 from author where email = $1', [email])).rowCount;

  test('ends long before its deadline, and its unit runs again', async () => {
    const startedAt = performance.now();
    expect(await insert('again@example.org', attempt => attempt === 1 && proxy.stall())).toBe(2);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(await stored('again@example.org')).toBe(1);
  });

  test('leaves nothing behind on the server: the transaction that it was part of is ended', async () => {
    await database.session(async (em, session) => {
      if (session.attempt > 1) return;
      await em.execute('select pg_advisory_xact_lock(77)');
      proxy.stall();
      await em.execute('select 1 as one');
    });
    await eventually(async () => {
      const { rows } = await admin.query("select 1 from pg_locks where locktype = 'advisory' and objid = 77");
      expect(rows).toEqual([]);
    });
  });

  test('in a request, which runs once: the request ends with a lost connection', async () => {
    await using session = await database.openSession();
    await session.em.execute('select 1 as one');
    proxy.stall();
    await expect(session.em.execute('select 2 as two')).rejects.toThrow();
    await expect(session.commit()).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_FAILED' });
  });

  test('that is a COMMIT: what became of it is looked up', async () => {
    const attempts = await database.session(async (em, session) => {
      await em.insert(Author, { email: `commit-${session.attempt}@example.org` });
      if (session.attempt === 1) proxy.stall();
      return session.attempt;
    });
    expect(await stored(`commit-${attempts}@example.org`)).toBe(1);
    expect((await admin.query('select 1 from author')).rowCount).toBe(1);
  });

  test('in a stream: its reader gets an error long before the deadline', async () => {
    await admin.query(`insert into author (email) select n || repeat('x', 50000) from generate_series(1, 20) n`);
    const startedAt = performance.now();
    await using session = await database.openSession({ readOnly: true, timeoutMs: 60_000 });
    const rows = session.em.stream(Author, { chunkSize: 1 });
    await rows[Symbol.asyncIterator]().next();
    proxy.stall();
    const reading = async () => {
      for await (const _ of rows);
    };
    await expect(reading()).rejects.toThrow();
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  describe('is not what', () => {
    const untouched = async (work: () => Promise<unknown>) => {
      const { opened } = database.stats().counters;
      await work();
      expect(database.stats().counters).toMatchObject({ opened });
    };

    test('a statement is that takes long', async () => {
      await insert('warm@example.org');
      await untouched(() => database.session(em => em.execute(`select pg_sleep(${(silentAfterMs * 8) / 1_000})`)));
    });

    test('a statement is that waits for a lock', async () => {
      await insert('locked@example.org');
      await admin.query("begin; select * from author where email = 'locked@example.org' for update");
      const startedAt = performance.now();
      const waiting = database.session(em => em.nativeUpdate(Author, { email: 'locked@example.org' }, { name: 'a' }));
      const { opened } = database.stats().counters;
      await eventually(() => performance.now() - startedAt > silentAfterMs * 8);
      await admin.query('commit');
      expect(await waiting).toBe(1);
      expect(database.stats().counters).toMatchObject({ opened });
    });

    test('a session is that does nothing between two statements', async () => {
      await untouched(() =>
        database.session(async em => {
          await em.execute('select 1 as one');
          const startedAt = performance.now();
          await eventually(() => performance.now() - startedAt > silentAfterMs * 6);
          await em.execute('select 1 as one');
        }),
      );
    });
  });

  test('costs nothing while statements are answered: no connection is opened to look', async () => {
    await insert('first@example.org');
    const { connections } = proxy.counters;
    const startedAt = performance.now();
    for (let unit = 0; performance.now() - startedAt < silentAfterMs * 4; unit++) await insert(`${unit}@example.org`);
    expect(proxy.counters.connections).toBe(connections);
  });

  test('is not looked for with `silentAfterMs: 0`', async () => {
    await using own = createPostgresqlService({ url: proxy.url(), options: { pool: { silentAfterMs: 0 } } });
    await own.database.connect();
    const unit = own.database.session(
      async em => {
        await em.execute('select 1 as one');
        proxy.stall();
        await em.execute('select 1 as one');
      },
      { timeoutMs: silentAfterMs * 6 },
    );
    await expect(unit).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
  });
});
