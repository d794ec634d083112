import { AmbiguousCommitError, type DatabaseService } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

describe('a connection lost during COMMIT', () => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;
  let attempts: number;

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase('exactly_once');
    const setup = createPostgresqlService({ url });
    await setup.database.connect();
    await setup.database.migrate();
    await setup[Symbol.asyncDispose]();
    proxy = await startTcpProxy({ to: url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await server.dispose();
  });

  beforeEach(async () => {
    attempts = 0;
    await server.query('truncate author', [], 'exactly_once');
    service = createPostgresqlService({ url: proxy.url() });
    database = service.database;
    await database.connect();
  });
  afterEach(async () => {
    await eventually(() => {
      const { total, idle, busy, waiting } = database.stats();
      expect({ busy, waiting, lent: total - idle }).toEqual({ busy: 0, waiting: 0, lent: 0 });
    });
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

  /** COMMIT is done, its answer is lost, and nobody can ask until the server has been restarted. */
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
    const told: string[] = [];
    const cut = proxy.onceAtCommit('before');
    await database.session(async (em, session) => {
      session.onCommit(() => void told.push(`committed ${session.attempt}`));
      session.onRollback(() => void told.push(`rolled back ${session.attempt}`));
      await em.insert(Author, { email: 'told@example.org' });
    });
    await cut;
    expect(told).toEqual(['rolled back 1', 'committed 2']);
  });

  test('nothing had been written: it is run again, whoever asks', async () => {
    const cut = proxy.onceAtCommit('after');
    await database.session(async (em, session) => {
      attempts = session.attempt;
      await em.count(Author);
    });
    await cut;
    expect(attempts).toBe(2);
  });

  test('and nobody answers until the deadline: AmbiguousCommitError, never a second attempt', async () => {
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

  test('and the caller has a proof of its own: it is believed when the server cannot tell', async () => {
    const cut = proxy.onceAtCommit('after');
    const outcome = insert({ timeoutMs: 4_000, verifyCommitted: async () => true });
    await cut;
    await proxy.setMode('blackhole');
    await outcome.finally(() => proxy.setMode('pass'));
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });

  test('and the server crashed meanwhile: its ids may have been given again, so a commit is not believed', async () => {
    const { outcome } = await restartedBeforeTheAnswer('immediate');
    await expect(outcome).rejects.toMatchObject({
      code: 'DATABASE_AMBIGUOUS_COMMIT',
      facts: { why: 'the database no longer knows the transaction' },
    });
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });

  test('and the server was restarted in order meanwhile: its answer is believed', async () => {
    const { outcome } = await restartedBeforeTheAnswer('fast');
    await outcome;
    expect({ attempts, stored: await stored() }).toEqual({ attempts: 1, stored: 1 });
  });
});
