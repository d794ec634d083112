import { Socket } from 'node:net';
import type { RetryPolicy } from '@keelson/core';
import type { DatabaseService } from '@keelson/database';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { untilAtRest } from '@keelson/test-support/at-rest';
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
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

type Em = Parameters<Parameters<DatabaseService['session']>[0]>[0];

/** Node names what keeps a process alive only by an internal function. */
function socketsTo(port: number): readonly Socket[] {
  const handles: readonly unknown[] = Reflect.apply(Reflect.get(process, '_getActiveHandles'), process, []);
  return handles.filter(handle => handle instanceof Socket).filter(({ remotePort }) => remotePort === port);
}

const terminateAll = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = 'pool_faults' and pid <> pg_backend_pid()`;

describe('the pool after a fault', () => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let url: string;
  let service: PostgresqlService;

  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: 30 } });
    url = await server.createDatabase('pool_faults');
    await migrateDatabase(url);
    proxy = await startTcpProxy({ to: url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await server.dispose();
  });

  const open = async (options: PostgresqlServiceOptions['options'] = {}, retry?: RetryPolicy) => {
    service = await connectPostgresqlService({
      url: retry === undefined ? proxy.url() : url,
      options,
      ...(retry && { retry }),
    });
    return service.database;
  };

  /** Stops the server until it is disposed. */
  const away = async (): Promise<AsyncDisposable> => {
    await server.stop('immediate');
    return { [Symbol.asyncDispose]: () => server.start() };
  };
  const seesRestart = async (database: DatabaseService) => {
    {
      await using _away = await away();
      await eventually(() => database.state.is === 'error');
    }
    await eventually(() => database.state.is === 'connected');
  };

  afterEach(async () => {
    await proxy.setMode('pass');
    await untilAtRest(service.database);
    await service[Symbol.asyncDispose]();
    expect(service.database.stats()).toMatchObject({ total: 0, busy: 0, waiting: 0 });
  });

  const count = (em: Em) => em.count(Author);
  /** Opens `n` connections and gives them back. */
  const warm = (database: DatabaseService, n: number) => {
    const all = Promise.withResolvers<void>();
    let inside = 0;
    const hold = () =>
      database.session(async em => {
        await count(em);
        if (++inside === n) all.resolve();
        await all.promise;
      });
    return Promise.all(Array.from({ length: n }, hold));
  };

  test('lends only working connections after all idle ones were terminated', async () => {
    const database = await open({ pool: { max: 3 } });
    await warm(database, 3);
    await server.query(terminateAll);
    await Promise.all([database.session(count), database.session(count), database.session(count)]);
  });

  test('leaks no slot when backends are terminated inside transactions', async () => {
    const database = await open({ pool: { max: 3 } });
    for (let kill = 0; kill < 4; kill++) {
      let killed = false;
      await database.session(async em => {
        await count(em);
        if (!killed) await server.query(terminateAll);
        killed = true;
        await count(em);
      });
    }
    await warm(database, 3);
  });

  test('a session that idles in its transaction for too long is ended, says why, and leaks no slot', async () => {
    const database = await open({ pool: { max: 1 }, idleInTransactionTimeoutMs: 50 });
    const inTransaction = `select 1 from pg_stat_activity where datname = 'pool_faults' and state = 'idle in transaction'`;
    let attempts = 0;
    const idle = database.session(async (em, { attempt }) => {
      attempts = attempt;
      await count(em);
      await eventually(async () => (await server.query(inTransaction)).length === 0);
      await count(em);
    });
    await expect(idle).rejects.toMatchObject({ code: 'DATABASE_CONNECTION_LOST', facts: { sqlState: '25P03' } });
    expect(attempts).toBe(1);
    await database.session(count);
  });

  test('a statement error ends the transaction, and the connection is lent again', async () => {
    const database = await open({ pool: { max: 1 } });
    await expect(database.session(em => em.execute('select * from nowhere'))).rejects.toMatchObject({
      kind: 'undefined-table',
    });
    await expect(database.session(em => em.execute('select 1 +'))).rejects.toMatchObject({ kind: 'syntax' });
    await database.session(count);
    expect(database.stats().total).toBe(1);
  });

  test('a connection that answers nothing any more is found by its ping, and replaced', async () => {
    const database = await open({ pool: { max: 2, pingAfterIdleMs: 0, pingTimeoutMs: 100 } });
    await warm(database, 2);
    proxy.stall();
    await database.session(count);
    proxy.resume();
  });

  test('a session over its deadline on a black-holed connection ends in time and loses its socket', async () => {
    const database = await open({ session: { cancelGraceMs: 100 } });
    await database.session(count);
    await proxy.setMode('blackhole');
    await expect(database.session(count, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'DATABASE_SESSION_ABORTED',
      facts: { reason: 'deadline' },
    });
  });

  test('closing leaves no socket open to a server that has gone without a word', async () => {
    const database = await open();
    await database.session(count);
    await proxy.setMode('blackhole');
    await database.disconnect();
    expect(socketsTo(proxy.port)).toEqual([]);
  });

  test('an acquire timeout reports the numbers of the pool and the longest holder', async () => {
    const database = await open({ pool: { max: 1, acquireTimeoutMs: 1_000 } });
    await database.session(async em => {
      await count(em);
      await expect(database.session(count, { nested: 'separate' })).rejects.toMatchObject({
        code: 'DATABASE_ACQUIRE_TIMEOUT',
        facts: { max: 1, busy: 1, waiting: 0, longestHeldMs: expect.any(Number) },
        http: { status: 503 },
      });
    });
    expect(database.stats().counters.timedOut).toBe(1);
  });

  test('a full waiting queue refuses at once', async () => {
    const database = await open({ pool: { max: 1, maxWaiting: 0 } });
    await database.session(async em => {
      await count(em);
      await expect(database.session(count, { nested: 'separate' })).rejects.toMatchObject({
        code: 'DATABASE_OVERLOADED',
      });
    });
  });

  test('a cancelled session ends its statement on the server', async () => {
    const database = await open();
    const controller = new AbortController();
    const slow = database.session(em => em.execute('select pg_sleep(60)'), { signal: controller.signal });
    slow.catch(() => {});
    const running = () =>
      server.query(
        `select pid from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()`,
      );
    await eventually(async () => (await running()).length === 1);
    controller.abort();
    await expect(slow).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED', facts: { reason: 'signal' } });
    await eventually(async () => (await running()).length === 0);
    await eventually(() => database.stats().idle === 1);
  });

  test('closing cuts a session that hangs, by its deadline', async () => {
    const database = await open({ closeTimeoutMs: 100 });
    await database.session(em => em.execute('select 1'));
    const hanging = database.session(em => em.execute('select pg_sleep(60)'), { retry: 'never' });
    hanging.catch(() => {});
    await eventually(() => database.stats().busy === 1);
    await database.disconnect();
    await expect(hanging).rejects.toMatchObject({ code: 'DATABASE_CONNECTION_LOST' });
  });

  test('a caller that waits for the server is refused at once when the service closes', async () => {
    const retry = new OpossumRetryPolicy();
    const database = await open({}, retry);
    await database.session(count);
    await using _away = await away();
    const held = await database.openSession({ timeoutMs: 60_000 });
    const heard = [
      database.session(count, { timeoutMs: 60_000 }),
      database.session(count, { timeoutMs: 60_000, signal: new AbortController().signal }),
      held.em.count(Author),
    ].map(waiting => expect(waiting).rejects.toMatchObject({ code: 'DATABASE_CLOSED' }));
    await eventually(() => expect(retry.describe()[0]?.breaker.state).not.toBe('closed'));
    await eventually(() => expect(retry.describe()[0]?.waiting).toBe(3));
    const startedAt = performance.now();
    await database.disconnect();
    await Promise.all(heard);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await expect(database.session(count)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    expect(retry.describe()[0]).toMatchObject({ waiting: 0 });
  });

  test('a breaker that opens under opened sessions has a cause that a person can read', async () => {
    const retry = new OpossumRetryPolicy();
    const database = await open({}, retry);
    await using _away = await away();
    await eventually(async () => {
      await using session = await database.openSession({ timeoutMs: 200 });
      await expect(count(session.em)).rejects.toThrow();
      expect(retry.describe()[0]?.breaker).toMatchObject({
        lastCause: {
          name: 'ConnectionLostError',
          code: 'DATABASE_CONNECTION_LOST',
          facts: { systemCode: 'ECONNREFUSED' },
        },
      });
    });
  });

  test('follows the server through restarts: error while it is away, connected when it is back', async () => {
    const database = await open();
    await database.session(count);
    await seesRestart(database);
    await database.session(count);
  });

  test('notices that the server is away also when no connection of the pool is open', async () => {
    const database = await open();
    expect(database.stats().total).toBe(0);
    await seesRestart(database);
  });

  test('a server without free places is asked again until there is one', async () => {
    const database = await open();
    const crowd = Array.from({ length: 30 }, () => new pg.Client(server.url));
    for (const client of crowd) client.on('error', () => {});
    await Promise.allSettled(crowd.map(client => client.connect()));
    const counted = database.session(count);
    await eventually(() => service.logger.find('retrying a session') !== undefined);
    await Promise.allSettled(crowd.map(client => client.end()));
    await counted;
  });
});
