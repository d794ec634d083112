import { type Clock, systemClock } from '@keelson/core';
import type { DatabaseService } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { migrateDatabase } from '@keelson/test-support/test-service';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lookTimeoutMs } from './backend-look.js';

const name = 'lost_statements';
const silentAfterMs = 300;

describe('a statement on a connection that stays silent', () => {
  let server: PostgresServer;
  let url: string;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;
  let scheduled: number[];

  const countingClock: Clock = {
    ...systemClock,
    schedule(ms, callback, options) {
      scheduled.push(ms);
      return systemClock.schedule(ms, callback, options);
    },
  };

  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase(name);
    await migrateDatabase(url);
  });
  afterAll(() => server.dispose());

  const open = async (options: PostgresqlServiceOptions['options'] = {}) => {
    scheduled = [];
    proxy = await startTcpProxy({ to: url });
    service = await connectPostgresqlService({
      url: proxy.url(),
      options: { silentAfterMs, pool: { max: 2, pingTimeoutMs: 900 }, ...options },
      clock: countingClock,
    });
    database = service.database;
  };
  beforeEach(() => open());
  const close = async () => {
    await proxy.setMode('pass');
    await service[Symbol.asyncDispose]();
    await proxy.dispose();
  };
  afterEach(async () => {
    await close();
    await server.query('truncate author', [], name);
  });

  const stored = () => server.query('select email from author order by id', [], name);
  const backends = () =>
    server.query(
      `select pid from pg_stat_activity where datname = '${name}' and application_name = 'keelson' and pid <> pg_backend_pid()`,
    );
  /** The server was asked about silent connections this often. */
  const looks = () => scheduled.filter(ms => ms === lookTimeoutMs).length;
  const looked = (times: number) => eventually(() => expect(looks()).toBeGreaterThanOrEqual(times));
  const losses = () => service.logger.findAll('a statement or its answer was lost on the way');

  for (const direction of ['toServer', 'toClient'] as const) {
    test(`that was lost (${direction}) is ended with a text of its own, and its backend too`, async () => {
      const ended = database.session(
        async em => {
          await em.insert(Author, { email: 'first@example.org' });
          proxy.lose(direction);
          await em.insert(Author, { email: 'second@example.org' });
        },
        { retry: 'never' },
      );
      await expect(ended).rejects.toMatchObject({
        code: 'DATABASE_CONNECTION_LOST',
        message: expect.stringMatching(/^A statement or its answer was lost on the way: after \d+ ms without a byte/),
        facts: { systemCode: 'ETIMEDOUT', backend: 'idle in transaction', silentMs: expect.any(Number) },
      });
      expect(losses()).toHaveLength(1);
      await eventually(async () => expect(await backends()).toEqual([]));
      expect(await stored()).toEqual([]);
    });

    test(`that was lost (${direction}) is repeated with its unit, once the network is back`, async () => {
      let runs = 0;
      await database.session(async em => {
        runs += 1;
        await em.insert(Author, { email: 'first@example.org' });
        if (runs === 1) proxy.lose(direction);
        await em.insert(Author, { email: 'second@example.org' });
      });
      expect(runs).toBe(2);
      expect(await stored()).toEqual([{ email: 'first@example.org' }, { email: 'second@example.org' }]);
    });
  }

  for (const [direction, runsWanted] of [
    ['toServer', 2],
    ['toClient', 1],
  ] as const) {
    test(`that is COMMIT and was lost (${direction}) has its outcome looked up, and is done once`, async () => {
      let runs = 0;
      await database.session(async em => {
        runs += 1;
        await em.insert(Author, { email: 'once@example.org' });
        if (runs === 1) proxy.lose(direction);
      });
      expect(runs).toBe(runsWanted);
      expect(losses()).toHaveLength(1);
      expect(await stored()).toEqual([{ email: 'once@example.org' }]);
    });
  }

  test('is not judged while the network swallows everything, and is soon after', async () => {
    let runs = 0;
    const done = database.session(async em => {
      runs += 1;
      await em.insert(Author, { email: 'hole@example.org' });
      if (runs === 1) await proxy.setMode('lose');
      await em.insert(Author, { email: 'after@example.org' });
    });
    await eventually(() => expect(proxy.mode).toBe('lose'));
    const connectionsBefore = proxy.counters.connections;
    await looked(3);
    expect(losses()).toEqual([]);
    expect(proxy.counters.connections - connectionsBefore).toBeLessThanOrEqual(3);
    await proxy.setMode('pass');
    await done;
    expect(runs).toBe(2);
    expect(await stored()).toHaveLength(2);
  });

  test('is left alone while the server works on it, for however long', async () => {
    await database.session(async em => {
      const [before] = await em.execute('select pg_backend_pid() as pid');
      await em.execute(`select pg_sleep(${(5 * silentAfterMs) / 1_000})`);
      expect(await em.execute('select pg_backend_pid() as pid')).toEqual([before]);
    });
    expect(looks()).toBeGreaterThan(1);
    expect(database.stats().counters).toMatchObject({ opened: 1, discarded: {} });
    expect(losses()).toEqual([]);
  });

  test('is left alone while it waits for a lock', async () => {
    await using holder = await database.openSession();
    await holder.em.execute('lock table author');
    const blocked = database.session(em => em.insert(Author, { email: 'blocked@example.org' }));
    await looked(3);
    expect(losses()).toEqual([]);
    await holder.commit();
    await blocked;
    expect(database.stats().counters).toMatchObject({ opened: 2, discarded: {} });
    expect(await stored()).toHaveLength(1);
  });

  test('that asks for rows of a stream is ended too', async () => {
    await server.query('create table if not exists numbers as select * from generate_series(1, 9) as n', [], name);
    await server.query('grant select on numbers to keelson', [], name);
    const read = database.session(
      async em => {
        const rows = em.getKysely<{ numbers: { n: number } }>().selectFrom('numbers').selectAll().stream(2);
        let count = 0;
        for await (const _ of rows) if (++count === 2) proxy.lose('toServer');
      },
      { retry: 'never' },
    );
    await expect(read).rejects.toMatchObject({ code: 'DATABASE_CONNECTION_LOST' });
  });

  test('costs a request that is answered in time neither a round trip nor a timer of its own', async () => {
    await database.session(em => em.execute('select 1'));
    const watching = () => scheduled.filter(ms => ms === silentAfterMs / 3).length;
    const [timersBefore, tripsBefore, startedAt] = [watching(), proxy.counters.roundTrips, performance.now()];
    const units = 200;
    for (let count = 0; count < units; count++) await database.session(em => em.execute('select 1'));
    const ticks = (performance.now() - startedAt) / (silentAfterMs / 3);
    expect(watching() - timersBefore).toBeLessThanOrEqual(ticks + 1);
    expect(looks()).toBe(0);
    const onWire = proxy.counters.roundTrips - tripsBefore;
    await close();
    await open({ silentAfterMs: 0 });
    await database.session(em => em.execute('select 1'));
    const unwatchedBefore = proxy.counters.roundTrips;
    for (let count = 0; count < units; count++) await database.session(em => em.execute('select 1'));
    expect(onWire).toBe(proxy.counters.roundTrips - unwatchedBefore);
    expect(watching()).toBe(0);
    expect(looks()).toBe(0);
  });
});
