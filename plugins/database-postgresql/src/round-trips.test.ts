import type { DatabaseService, EntityManager, OpenSessionOptions, SessionWork } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type ProxiedService, startProxiedService } from '@keelson/test-support/test-service';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('the round trips of a session, counted at the wire', () => {
  let proxy: TcpProxy;
  let service: ProxiedService;
  let database: DatabaseService;
  let emails = 0;

  beforeAll(async () => {
    service = await startProxiedService({ options: { pool: { pingAfterIdleMs: 60_000 } } });
    ({ proxy, database } = service);
    await database.session(em => em.count(Author));
  });

  afterAll(() => service[Symbol.asyncDispose]());

  const insert = (em: Parameters<Parameters<DatabaseService['session']>[0]>[0]) =>
    em.insert(Author, { email: `author-${++emails}@example.org` });

  test('a session that runs no statement: none', async () => {
    const recording = proxy.recording();
    await database.session(async () => 1);
    expect(recording.statements).toEqual([]);
  });

  test('a session with one insert: two, and the transaction id is known before COMMIT is sent', async () => {
    const recording = proxy.recording();
    await database.session(insert);
    expect(recording.roundTrips).toBe(2);
    const [first, second] = recording.statements;
    expect(first?.join('\n')).toMatch(/^begin[\s\S]*insert into[\s\S]*pg_current_xact_id\(\)/);
    expect(second).toEqual(['commit']);
  });

  test('a session of n statements: n + 1', async () => {
    const recording = proxy.recording();
    await database.session(async em => {
      await insert(em);
      await em.count(Author);
      await insert(em);
    });
    expect(recording.roundTrips).toBe(4);
    const asked = recording.statements.filter(texts => texts.some(text => text.includes('pg_current_xact_id')));
    expect(asked).toHaveLength(1);
  });

  describe('a read-only session', () => {
    const tripsOf = async (work: Parameters<DatabaseService['read']>[0], options = {}) => {
      const recording = proxy.recording();
      await database.read(work, options);
      await eventually(() => database.stats().busy === 0);
      return { trips: recording.roundTrips, statements: recording.statements };
    };
    const count = (em: EntityManager) => em.count(Author);

    test('of one query: one round trip, in a transaction that the server holds to reading', async () => {
      const { trips, statements } = await tripsOf(count);
      expect(trips).toBe(1);
      expect(statements[0]?.[0]).toBe('begin read only');
      expect(statements[0]?.at(-1)).toBe('commit');
      expect(statements.flat().join()).not.toContain('pg_current_xact_id');
      await expect(database.read(insert)).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'read-only' });
    });

    test('of n queries: n', async () => {
      expect((await tripsOf(async em => [await count(em), await count(em), await count(em)])).trips).toBe(3);
    });

    test.each<[string, OpenSessionOptions, SessionWork<unknown>]>([
      ['of one snapshot', { isolation: 'repeatable read' }, count],
      ['that waits for a snapshot', { isolation: 'serializable', deferrable: true }, count],
      ['with a lock for the transaction', {}, em => em.execute('select pg_advisory_xact_lock(7)')],
      ['with a message to be sent at COMMIT', {}, em => em.execute("select pg_notify('a', 'b')")],
      ['with a setting for the transaction', {}, em => em.execute("select set_config('app.a', 'b', true)")],
    ])('%s is one transaction: n + 1', async (_, options, first) => {
      const work: SessionWork<unknown> = async (em, session) => [await first(em, session), await count(em)];
      expect((await tripsOf(work, options)).trips).toBe(3);
    });

    test('with nested work is one transaction from there on', async () => {
      const work: SessionWork<unknown> = async em => [await count(em), await database.transaction(count)];
      // The count; BEGIN, savepoint and count; the end of the savepoint; COMMIT.
      expect(await tripsOf(work)).toMatchObject({ trips: 4 });
    });

    test('reads from one snapshot where that is the default of the server', async () => {
      const { username } = new URL(service.testDatabase.url);
      const admin = new pg.Client(service.testDatabase.adminUrl);
      await admin.connect();
      await admin.query(
        `alter role ${username} in database ${admin.database} set default_transaction_isolation = 'repeatable read'`,
      );
      await using own = await connectPostgresqlService({ url: service.testDatabase.url });
      const counts = await own.database.read(async em => {
        const before = await count(em);
        await admin.query("insert into author (email) values ('between@example.org')");
        return [before, await count(em)];
      });
      await admin.query(`alter role ${username} in database ${admin.database} reset default_transaction_isolation`);
      await admin.end();
      expect(counts[1]).toBe(counts[0]);
    });
  });

  test('state that a session leaves costs it nothing, and the next session a connection; without any, nothing', async () => {
    await using single = await connectPostgresqlService({ url: proxy.url(), options: { pool: { max: 1 } } });
    await single.database.session(em => em.execute('select 1'));
    const opened = () => single.database.stats().counters.opened;
    const altered = () => single.database.stats().counters.discarded.altered ?? 0;
    const before = { opened: opened(), altered: altered() };
    const trips = async (...statements: readonly string[]) => {
      const recording = proxy.recording();
      await single.database.session(async em => {
        for (const statement of statements) await em.execute(statement);
      });
      return recording.roundTrips;
    };
    expect(await trips("select set_config('app.tenant', 'a', true)", 'select pg_advisory_xact_lock(1)')).toBe(3);
    expect(await trips('set local search_path = pg_catalog')).toBe(2);
    expect(await trips('select 1')).toBe(2);
    expect({ opened: opened(), altered: altered() }).toEqual(before);
    expect(await trips("set app.tenant = 'a'")).toBe(2);
    expect(altered()).toBe(before.altered + 1);
    expect(await trips('select 1')).toBe(2);
    expect(opened()).toBe(before.opened + 1);
  });

  describe('a ping before a connection is lent', () => {
    const idleForMs = 300;
    let pinged: PostgresqlService;

    beforeAll(async () => {
      pinged = await connectPostgresqlService({ url: proxy.url(), options: { pool: { pingAfterIdleMs: idleForMs } } });
    });
    afterAll(() => pinged[Symbol.asyncDispose]());

    const trips = async () => {
      const recording = proxy.recording();
      await pinged.database.session(em => em.count(Author));
      return recording.statements.map(([first]) => first?.split(/[\s;]/)[0]);
    };

    test('costs nothing on a fresh connection, and nothing on one used a moment ago', async () => {
      expect(await trips()).toEqual(['begin', 'commit']);
      expect(await trips()).toEqual(['begin', 'commit']);
    });

    test('costs one round trip after the idle window', async () => {
      const usedAt = performance.now();
      await eventually(() => performance.now() - usedAt > idleForMs);
      expect(await trips()).toEqual(['select', 'begin', 'commit']);
    });
  });
});
