import type { DatabaseService, EntityManager, OpenSessionOptions } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { createTenantDatabase, Paper, type TenantDatabase } from '@keelson/test-support/tenants';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

describe('sessions of tenants, on tables with row-level security', () => {
  let tenants: TenantDatabase;
  let proxy: TcpProxy;
  let database: DatabaseService;
  let of: (tenant: string, more?: OpenSessionOptions) => OpenSessionOptions;

  beforeAll(async () => {
    tenants = await createTenantDatabase();
    proxy = await startTcpProxy({ to: tenants.testDatabase.url });
    const single = { pool: { max: 1, pingAfterIdleMs: 60_000 } };
    database = (await tenants.service(single, proxy.url())).database;
    of = (tenant, more) => ({ ...tenants.session(tenant), ...more });
  });
  afterAll(async () => {
    await tenants[Symbol.asyncDispose]();
    await proxy.dispose();
  });
  beforeEach(async () => {
    await tenants.admin.query('truncate paper');
    for (const tenant of ['a', 'b']) await database.session(em => write(em, `of ${tenant}`), of(tenant));
  });

  const write = (em: EntityManager, title: string) => em.insert(Paper, { title });
  const titles = async (em: EntityManager) =>
    (await em.find(Paper, {}, { orderBy: { id: 1 } })).map(({ title }) => title);
  const titlesOf = (tenant: string) => database.read(titles, of(tenant));
  const whoAmI = async (em: EntityManager) => {
    const [row] = await em.execute(
      "select current_user = session_user as same, coalesce(current_setting('app.tenant', true), '') as tenant",
    );
    return row;
  };
  const noTenant = { same: true, tenant: '' };
  const opened = () => database.stats().counters.opened;

  test('each tenant sees its own rows, and a session without a tenant those that its own role may see', async () => {
    expect(await titlesOf('a')).toEqual(['of a']);
    expect(await titlesOf('b')).toEqual(['of b']);
    expect(await titlesOf("b' or true --")).toEqual([]);
    expect(await database.read(titles)).toEqual(['of a', 'of b']);
    expect(await database.read(titles, { session: { role: tenants.role } })).toEqual([]);
    const foreign = database.session(em => em.insert(Paper, { tenant: 'b', title: 'smuggled' }), of('a'));
    await expect(foreign).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'insufficient-privilege' });
  });

  describe('at the wire', () => {
    const tripsOf = async (work: (em: EntityManager) => Promise<unknown>, options: OpenSessionOptions) => {
      const recording = proxy.recording();
      await database.session(work, options);
      await eventually(() => database.stats().busy === 0);
      return recording;
    };

    test('a session of n statements costs n + 1 round trips, a read n, as those without a tenant', async () => {
      const twice = async (em: EntityManager) => [await titles(em), await titles(em)];
      expect((await tripsOf(em => write(em, 'one'), of('a'))).roundTrips).toBe(2);
      expect((await tripsOf(twice, of('a'))).roundTrips).toBe(3);
      expect((await tripsOf(titles, of('a', { readOnly: true }))).roundTrips).toBe(1);
      expect((await tripsOf(twice, of('a', { readOnly: true }))).roundTrips).toBe(2);
      expect((await tripsOf(async () => 1, of('a'))).roundTrips).toBe(0);
    });

    test('they are set right after BEGIN, with no name and no value in the text', async () => {
      const { statements } = await tripsOf(titles, of('secret-tenant', { readOnly: true }));
      expect(statements[0]?.slice(0, 2)).toEqual([
        'begin read only',
        'select set_config($1, $2, true), set_config($3, $4, true)',
      ]);
      expect(statements[0]?.at(-1)).toBe('commit');
      expect(statements.flat().join()).not.toContain('secret-tenant');
    });
  });

  test('a prepared statement follows the role and the tenant', async () => {
    const connections = opened();
    for (let round = 0; round < 8; round++) {
      expect(await titlesOf('a')).toEqual(['of a']);
      expect(await database.read(titles)).toEqual(['of a', 'of b']);
      expect(await titlesOf('b')).toEqual(['of b']);
      expect(await database.read(em => em.findOne(Paper, { title: 'of a' }), of('b'))).toBeNull();
      expect(await database.session(em => em.nativeUpdate(Paper, { title: 'of a' }, { title: 'x' }), of('b'))).toBe(0);
    }
    const prepared = database.session(em =>
      em.execute("select statement from pg_prepared_statements where statement like 'select set_config%'"),
    );
    expect(await prepared).toHaveLength(1);
    expect(opened()).toBe(connections);
  });

  test('nothing of it reaches the next session of the connection, however a session ended', async () => {
    const connections = opened();
    const ends: Readonly<Record<string, () => Promise<unknown>>> = {
      'by a commit': () => database.session(em => write(em, 'committed'), of('a')),
      'by an error of the server': () => database.session(em => em.execute('select 1 / 0'), of('a')),
      'by an error of its own': () =>
        database.session(async em => {
          await titles(em);
          throw new Error('mine');
        }, of('a')),
      'after a part was undone': () =>
        database.session(async em => {
          await titles(em);
          await database.transaction(inner => inner.execute('select 1 / 0')).catch(() => {});
          expect(await whoAmI(em)).toEqual({ same: false, tenant: 'a' });
        }, of('a')),
      'by a read': () => titlesOf('a'),
      'by a stream that was left': () =>
        database.read(async em => {
          for await (const { title } of em.stream(Paper, {})) return title;
          return undefined;
        }, of('a')),
      'when its statement was cancelled': () =>
        database.session(em => em.execute('select pg_sleep(20)'), of('a', { timeoutMs: 50 })),
      'before its role was set': () => database.session(titles, { session: { role: 'missing' } }),
    };
    for (const [how, end] of Object.entries(ends)) {
      await end().catch(() => {});
      expect(await database.session(whoAmI), how).toEqual(noTenant);
      expect(await database.read(whoAmI), how).toEqual(noTenant);
    }
    expect(opened()).toBe(connections);
  });

  test('a unit that runs again on another connection runs for the same tenant', async () => {
    const seen: unknown[] = [];
    await database.session(async (em, { attempt }) => {
      seen.push(await whoAmI(em));
      if (attempt > 1) return;
      const [row] = await em.execute('select pg_backend_pid() as pid');
      await tenants.admin.query('select pg_terminate_backend($1)', [row?.pid]);
      await titles(em);
    }, of('a'));
    expect(seen).toEqual([
      { same: false, tenant: 'a' },
      { same: false, tenant: 'a' },
    ]);
  });

  test('a COMMIT that lost its answer is looked up by the role of the connection', async () => {
    const cut = proxy.onceAtCommit('after');
    await database.session(em => write(em, 'looked up'), of('a'));
    await cut;
    expect(await titlesOf('a')).toEqual(['of a', 'looked up']);
  });

  test('bulkInsert stores by INSERT where the role is held to policies, and by COPY where it is not', async () => {
    const rows = Array.from({ length: 3 }, (_, index) => ({ title: `row ${index}` }));
    const recording = proxy.recording();
    await database.bulkInsert(Paper, rows, of('a'));
    expect(await titlesOf('a')).toEqual(['of a', 'row 0', 'row 1', 'row 2']);
    expect(recording.statements.flat().some(text => text.startsWith('insert into'))).toBe(true);
    const byOwner = proxy.recording();
    await database.bulkInsert(Paper, [{ tenant: 'b', title: 'copied' }]);
    expect(byOwner.statements.flat().some(text => text.startsWith('copy '))).toBe(true);
    expect(byOwner.statements.flat().some(text => text.startsWith('insert into'))).toBe(false);
    expect(await titlesOf('b')).toEqual(['of b', 'copied']);
    const foreign = database.bulkInsert(Paper, [{ tenant: 'b', title: 'smuggled' }], of('a'));
    await expect(foreign).rejects.toMatchObject({ kind: 'insufficient-privilege' });
  });

  test('Keelson sets them as well where a subscriber takes part in the begin of transactions', async () => {
    const { database: watched } = await tenants.service({ pool: { max: 1 } }, proxy.url());
    const begun: string[] = [];
    await watched.session(async em => {
      em.getEventManager().registerSubscriber({ afterTransactionStart: async () => void begun.push('one') });
      await titles(em);
    }, of('a'));
    const recording = proxy.recording();
    expect(await watched.session(titles, of('a'))).toEqual(['of a']);
    expect([begun.length, recording.roundTrips]).toEqual([1, 2]);
    const set = recording.statements.flat().filter(text => /set_config|set local role/.test(text));
    expect(set).toEqual(['select set_config($1, $2, true), set_config($3, $4, true)']);
    const session = await watched.sessionOnDemand({}, () => of('b'));
    expect(await session.run(() => watched.session(titles))).toEqual(['of b']);
    await session.open().rollback();
    session.close();
  });

  test('a schema for each tenant is a variable as well', async () => {
    await tenants.admin.query(`create schema other; create table other.paper (like public.paper including all);
      grant usage on schema other to public; grant all on other.paper to public;
      insert into other.paper (tenant, title) values ('x', 'in another schema')`);
    for (let round = 0; round < 4; round++) {
      expect(await database.read(titles, { session: { variables: { search_path: 'other' } } })).toEqual([
        'in another schema',
      ]);
      expect(await database.read(titles)).toEqual(['of a', 'of b']);
    }
  });
});
