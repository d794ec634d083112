import { AmbiguousCommitError, type DatabaseService } from '@keelson/database';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { migrateDatabase } from '@keelson/test-support/test-service';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

describe.each(['transaction-id', 'token'] as const)('a connection lost during COMMIT, with %s as proof', proof => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;
  let attempts: number;

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase('exactly_once');
    await migrateDatabase(url, { options: { commitProof: proof } });
    proxy = await startTcpProxy({ to: url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await server.dispose();
  });

  beforeEach(async () => {
    attempts = 0;
    await server.query('truncate author', [], 'exactly_once');
    service = await connectPostgresqlService({ url: proxy.url(), options: { commitProof: proof } });
    database = service.database;
  });
  afterEach(async () => {
    await untilAtRest(database);
    await service[Symbol.asyncDispose]();
  });

  const insert = (options: Parameters<DatabaseService['session']>[1] = {}) =>
    database.session(async (em, session) => {
      attempts = session.attempt;
      await em.insert(Author, { email: 'once@example.org' });
    }, options);

  const stored = async () => {
    const rows = await server.query<{ count: string }>('select count(*) from author', [], 'exactly_once');
    return Number(rows[0]?.count);
  };

  /** COMMIT is done, its answer is lost, and no connection can ask until the server has been restarted. */
  const restartedBeforeTheAnswer = async (mode: 'fast' | 'immediate') => {
    await database.session(em => em.count(Author));
    const cut = proxy.onceAtCommit('after');
    const outcome = insert();
    outcome.catch(() => {});
    await cut;
    const refusing = proxy.setMode('refuse');
    proxy.cut();
    await refusing;
    await server.restart(mode);
    await proxy.setMode('pass');
    return { outcome };
  };

  test('before the server got it: the unit is run again, and stored once', async () => {
    const cut = proxy.onceAtCommit('before');
    await insert();
    await cut;
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 2, stored: 1 });
  });

  test('after the server had done it: it is a success, and not run again', async () => {
    const cut = proxy.onceAtCommit('after');
    await insert();
    await cut;
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });

  test('before the server got it, and the work may not be repeated: an error, and nothing is stored', async () => {
    const cut = proxy.onceAtCommit('before');
    await expect(insert({ retry: 'never' })).rejects.toMatchObject({ code: 'DATABASE_CONNECTION_LOST' });
    await cut;
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 0 });
  });

  test('onCommit runs once when the outcome was looked up, and onRollback for the attempt that was lost', async () => {
    const reported: string[] = [];
    const cut = proxy.onceAtCommit('before');
    await database.session(async (em, session) => {
      session.onCommit(() => void reported.push(`committed ${session.attempt}`));
      session.onRollback(() => void reported.push(`rolled back ${session.attempt}`));
      await em.insert(Author, { email: 'reported@example.org' });
    });
    await cut;
    expect(reported).toEqual(['rolled back 1', 'committed 2']);
  });

  test('nothing had been written: it is looked up all the same, and not run again', async () => {
    const cut = proxy.onceAtCommit('after');
    await database.session(async (em, session) => {
      attempts = session.attempt;
      await em.count(Author);
    });
    await cut;
    expect(attempts).toBe(1);
  });

  describe('and what was done gives a transaction no id by itself', () => {
    const heard: string[] = [];
    let listener: pg.Client;

    beforeAll(async () => {
      const far = await server.createDatabase('far');
      const { hostname, port, username, password } = new URL(far);
      await server.query('create table far_row (text text); alter table far_row owner to keelson', [], 'far');
      await server.query(
        `create extension postgres_fdw;
         create server far foreign data wrapper postgres_fdw options (host '${hostname}', port '${port}', dbname 'far');
         create user mapping for keelson server far options (user '${username}', password '${password}');
         create foreign table far_row (text text) server far;
         grant all on far_row to keelson`,
        [],
        'exactly_once',
      );
      const direct = new URL(proxy.url());
      direct.port = port;
      listener = new pg.Client(direct.href);
      listener.on('notification', ({ payload = '' }) => heard.push(payload));
      await listener.connect();
      await listener.query('listen once');
    });
    afterAll(() => listener.end());

    beforeEach(async () => {
      heard.length = 0;
      await server.query('truncate far_row', [], 'far');
    });

    const act = (options: Parameters<DatabaseService['session']>[1] = {}) =>
      database.session(async (em, session) => {
        attempts = session.attempt;
        await em.execute("select pg_notify('once', 'notified')");
      }, options);
    const insertFar = () =>
      database.session(async (em, session) => {
        attempts = session.attempt;
        await em.execute("insert into far_row values ('far')");
      });
    /** A notification of our own comes after all that were sent before. */
    const notifications = async () => {
      await listener.query("notify once, 'last'");
      await eventually(() => expect(heard).toContain('last'));
      return heard.filter(payload => payload === 'notified').length;
    };
    const farRows = async () => (await server.query('select text from far_row', [], 'far')).length;

    test('a notification: sent once, wherever COMMIT is cut', async () => {
      for (const [when, expected] of [
        ['after', 1],
        ['before', 2],
      ] as const) {
        heard.length = 0;
        const cut = proxy.onceAtCommit(when);
        await act();
        await cut;
        expect({ attempts, notifications: await notifications() }).toEqual({ attempts: expected, notifications: 1 });
      }
    });

    test('a row of a foreign server: stored once, wherever COMMIT is cut', async () => {
      for (const [when, expected] of [
        ['after', 1],
        ['before', 2],
      ] as const) {
        await server.query('truncate far_row', [], 'far');
        const cut = proxy.onceAtCommit(when);
        await insertFar();
        await cut;
        expect({ attempts, rows: await farRows() }).toEqual({ attempts: expected, rows: 1 });
      }
    });

    test('and work that may run only once: it is never called safe to repeat', async () => {
      const cut = proxy.onceAtCommit('after');
      await act({ retry: 'never' });
      await cut;
      expect({ attempts, notifications: await notifications() }).toEqual({ attempts: 1, notifications: 1 });
    });

    test('and no server answers: verifyCommitted is asked, or the outcome is unknown', async () => {
      for (const verifyCommitted of [async () => true, undefined]) {
        const cut = proxy.onceAtCommit('after');
        // Half of the time is for the server, the other half for the proof.
        const outcome = act(verifyCommitted ? { timeoutMs: 6_000, verifyCommitted } : { timeoutMs: 4_000 });
        outcome.catch(() => {});
        await cut;
        await proxy.setMode('blackhole');
        try {
          if (verifyCommitted === undefined) await expect(outcome).rejects.toBeInstanceOf(AmbiguousCommitError);
          else await outcome;
        } finally {
          await proxy.setMode('pass');
        }
      }
      expect(await notifications()).toBe(2);
    });
  });

  test('and no server answers until the deadline: AmbiguousCommitError, never a second attempt', async () => {
    const cut = proxy.onceAtCommit('after');
    const outcome = insert({ timeoutMs: 2_500 });
    await cut;
    await proxy.setMode('blackhole');
    try {
      await expect(outcome).rejects.toBeInstanceOf(AmbiguousCommitError);
    } finally {
      await proxy.setMode('pass');
    }
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });

  test('and the caller has a proof of its own: it is believed when the server has no answer', async () => {
    const cut = proxy.onceAtCommit('after');
    const outcome = insert({ timeoutMs: 4_000, verifyCommitted: async () => true });
    await cut;
    await proxy.setMode('blackhole');
    await outcome.finally(() => proxy.setMode('pass'));
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });

  test('and the server crashed meanwhile: a token proves it, an id may have been given again and is not believed', async () => {
    const { outcome } = await restartedBeforeTheAnswer('immediate');
    if (proof === 'token') await outcome;
    else
      await expect(outcome).rejects.toMatchObject({
        code: 'DATABASE_AMBIGUOUS_COMMIT',
        facts: {
          why: 'the database no longer knows the transaction',
          proof,
          sessionId: expect.stringMatching(/^[0-9a-z]{4}-[0-9a-z]+$/),
        },
      });
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });

  test('and the server was restarted in order meanwhile: its answer is believed', async () => {
    const { outcome } = await restartedBeforeTheAnswer('fast');
    await outcome;
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });
});
