import { Deadline, systemClock } from '@keelson/core';
import type { ChannelEvent, DatabaseService, PayloadSchema } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { hasPgbouncer, startPgbouncer } from '@keelson/test-support/pgbouncer';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  createPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { startReplicatedPostgres } from '@keelson/test-support/replication';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** Where a test waits for the service to find something out. */
const quick = { listen: { checkIntervalMs: 200, checkTimeoutMs: 1_000 } };

const counted: PayloadSchema<{ readonly count: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async value => {
      const count: unknown = Reflect.get(Object(value), 'count');
      return typeof count === 'number' ? { value: { count } } : { issues: [{ message: 'needs a count' }] };
    },
  },
};

function recorder() {
  const seen: string[] = [];
  const record = (event: ChannelEvent) => void seen.push(event.is === 'gap' ? `gap ${event.reason}` : event.payload);
  return { seen, record };
}

function send(database: DatabaseService, channel: string, ...texts: readonly string[]): Promise<void> {
  return database.session(async (_em, session) => {
    for (const text of texts) session.notify(channel, text);
  });
}

describe('a service that listens', () => {
  let testDatabase: TestDatabase;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    proxy = await startTcpProxy({ to: testDatabase.url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await testDatabase[Symbol.asyncDispose]();
  });
  beforeEach(() => open({}));
  afterEach(async () => {
    await proxy.setMode('pass');
    await service[Symbol.asyncDispose]();
  });

  const open = async (options: NonNullable<PostgresqlServiceOptions['options']>) => {
    service = await connectPostgresqlService({ url: proxy.url(), options });
    database = service.database;
    await database.migrate();
  };
  const openQuick = async () => {
    await service[Symbol.asyncDispose]();
    await open(quick);
  };
  /** The backends whose connection has this name. */
  const backends = (suffix: string) =>
    database.session(em =>
      em.execute<{ pid: number }[]>(
        "select pid from pg_stat_activity where datname = current_database() and application_name like '%' || ?",
        [suffix],
      ),
    );
  const logged = (what: string) => service.logger.findAll(what);

  test('has one connection for all channels, opened at the first and closed with the last', async () => {
    expect(await backends(' listen')).toHaveLength(0);
    expect(database.listening).toBeUndefined();
    const { total } = database.stats();
    const first = await database.listen('one', () => {});
    const second = await database.listen('two', () => {});
    expect(await backends(' listen')).toHaveLength(1);
    expect(database.stats().total).toBe(total);
    expect(database.listening).toMatchObject({ state: 'listening', channels: 2, subscriptions: 2 });
    await first.close();
    expect(await backends(' listen')).toHaveLength(1);
    await second.close();
    await eventually(async () => (await backends(' listen')).length === 0);
    expect(database.listening).toMatchObject({ state: 'closed', channels: 0 });
    const { seen, record } = recorder();
    await using _ = await database.listen('one', record);
    await send(database, 'one', 'again');
    await eventually(() => expect(seen).toEqual(['gap started', 'again']));
  });

  test('listens to what many callers ask for at once, and to many channels', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `many ${index}`);
    const recorders = names.map(recorder);
    const subscriptions = await Promise.all(
      names.map((name, at) => database.listen(name, recorders[at]?.record ?? fail)),
    );
    expect(await backends(' listen')).toHaveLength(1);
    await database.session(async (_em, session) => {
      for (const name of names) session.notify(name, `to ${name}`);
    });
    await eventually(() =>
      expect(recorders.map(({ seen }) => seen)).toEqual(names.map(n => ['gap started', `to ${n}`])),
    );
    const [{ pid } = { pid: 0 }] = await backends(' listen');
    await database.session(em => em.execute('select pg_terminate_backend(?)', [pid]));
    await eventually(() => expect(recorders.every(({ seen }) => seen.at(-1) === 'gap reconnected')).toBe(true));
    await Promise.all(subscriptions.map(subscription => subscription.close()));
    expect(database.listening?.channels).toBe(0);
  });

  test('gives each handler a gap when its backend was ended, and goes on', async () => {
    const { seen, record } = recorder();
    await using _ = await database.listen('killed', record);
    const [{ pid } = { pid: 0 }] = await backends(' listen');
    await database.session(em => em.execute('select pg_terminate_backend(?)', [pid]));
    await eventually(() => expect(seen).toEqual(['gap started', 'gap reconnected']));
    await send(database, 'killed', 'after');
    await eventually(() => expect(seen.at(-1)).toBe('after'));
    expect(logged('listening interrupted')).toMatchObject([{ facts: { sqlState: '57P01' } }]);
  });

  test.each(['blackhole', 'lose'] as const)('finds out that its connection leads nowhere: %s', async mode => {
    await openQuick();
    const { seen, record } = recorder();
    await using _ = await database.listen('silent', record);
    await proxy.setMode(mode);
    await eventually(() => expect(database.listening).toMatchObject({ state: 'connecting' }));
    expect(await database.health()).toMatchObject({ facts: { listening: { state: 'connecting' } } });
    await proxy.setMode('pass');
    await eventually(() => expect(seen).toEqual(['gap started', 'gap reconnected']), { timeoutMs: 10_000 });
    await send(database, 'silent', 'after');
    await eventually(() => expect(seen.at(-1)).toBe('after'));
    expect(await database.health()).toMatchObject({ status: 'pass', facts: { listening: { state: 'listening' } } });
  });

  test('keeps a silent connection that answers', async () => {
    await openQuick();
    const { seen, record } = recorder();
    await using _ = await database.listen('quiet', record);
    const recording = proxy.recording();
    await eventually(() => recording.statements.flat().filter(text => text === 'select 1').length >= 3);
    expect(seen).toEqual(['gap started']);
  });

  test('is a warning of its health while its connection alone is away', async () => {
    await using _ = await database.listen('away', () => {});
    await database.session(em => em.execute("select set_config('x.y', 'z', true)"));
    const [{ pid } = { pid: 0 }] = await backends(' listen');
    await proxy.setMode('refuse');
    await database.session(em => em.execute('select pg_terminate_backend(?)', [pid]));
    await eventually(() => database.listening?.state === 'connecting');
    expect(await database.health()).toMatchObject({ status: 'warn', output: /^No messages have been received since / });
    await proxy.setMode('pass');
    await eventually(async () => (await database.health()).status === 'pass');
  });

  test('delivers nothing while it is paused, and a gap when it is resumed', async () => {
    const { seen, record } = recorder();
    await using _ = await database.listen('paused', record);
    await eventually(() => expect(seen).toEqual(['gap started']));
    expect(await database.drain(Deadline.after(1_000, systemClock))).toBe(true);
    await using other = await connectPostgresqlService({ url: testDatabase.url });
    await send(other.database, 'paused', 'dropped');
    await eventually(() => database.listening?.counters.received === 1);
    database.resume();
    await send(database, 'paused', 'after');
    await eventually(() => expect(seen).toEqual(['gap started', 'gap resumed', 'after']));
  });

  test('opens its connection again when all connections are renewed', async () => {
    const { seen, record } = recorder();
    await using _ = await database.listen('renewed', record);
    database.renewConnections();
    await eventually(() => expect(seen).toEqual(['gap started', 'gap reconnected']));
  });

  test('drops what comes faster than the handler takes it, leaves a gap, and holds no more than it may', async () => {
    const seen: string[] = [];
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await using _ = await database.listen(
      'storm',
      async event => {
        seen.push(event.is === 'gap' ? event.reason : event.payload);
        await released;
      },
      { maxQueued: 100 },
    );
    const texts = Array.from({ length: 1_000 }, (_, index) => `${index}`);
    await send(database, 'storm', ...texts);
    await database.session(em => em.execute("select pg_notify('storm', n::text) from generate_series(1000, 9999) n"));
    await eventually(() => expect(database.listening?.counters.received).toBe(10_000), { timeoutMs: 15_000 });
    expect(database.listening?.queued).toBeLessThanOrEqual(100);
    release();
    await eventually(() => expect(seen.at(-1)).toBe('9999'));
    expect(seen.slice(0, 2)).toEqual(['started', 'overflow']);
    expect(seen.length).toBeLessThanOrEqual(102);
    const numbers = seen.slice(2).map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => 10_000 - numbers.length + index));
  }, 30_000);

  test('gives payloads as its schema returns them, and logs those that do not fit without their text', async () => {
    const counts: number[] = [];
    await using _ = await database.listen(
      'typed',
      event => {
        if (event.is === 'message') counts.push(event.payload.count + 1);
      },
      { schema: counted },
    );
    await send(database, 'typed', '{"count":1}', '{"count":"secret"}', '{"count":2}');
    await eventually(() => expect(counts).toEqual([2, 3]));
    expect(logged('notification not valid')).toMatchObject([{ facts: { channel: 'typed', bytes: 18 } }]);
    expect(JSON.stringify(service.logger.findAll('notification not valid'))).not.toContain('secret');
  });

  test('does not wait for ever for a server that does not answer, and listens to nothing then', async () => {
    await proxy.setMode('blackhole');
    await expect(database.listen('never', () => {}, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'DATABASE_LISTEN_FAILED',
      facts: { channel: 'never', timeoutMs: 500 },
    });
    expect(database.listening).toMatchObject({ state: 'closed', channels: 0 });
  });

  test('stops to wait, and to listen, when the signal aborts', async () => {
    await proxy.setMode('blackhole');
    const early = new AbortController();
    const waiting = database.listen('signal', () => {}, { signal: early.signal });
    early.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await proxy.setMode('pass');
    const late = new AbortController();
    await database.listen('signal', () => {}, { signal: late.signal });
    late.abort();
    await eventually(() => database.listening?.state === 'closed');
  });

  describe('and the round trips of a message', () => {
    const tripsOf = async (work: Parameters<DatabaseService['session']>[0]) => {
      await database.session(em => em.count(Author));
      const recording = proxy.recording();
      await database.session(work);
      return recording.statements;
    };

    test('that a statement follows: none', async () => {
      const statements = await tripsOf(async (em, session) => {
        session.notify('a', 'b');
        em.create(Author, { email: `author-${Math.random()}@example.org` });
      });
      expect(statements).toHaveLength(2);
      expect(statements[0]?.join('\n')).toMatch(
        /^begin\nselect pg_notify[\s\S]*insert into[\s\S]*pg_current_xact_id\(\)/,
      );
    });

    test('that is alone, or after the last statement: one for all of them', async () => {
      const alone = await tripsOf(async (_em, session) => {
        session.notify('a', 'b');
        session.notify('c', 'd');
      });
      expect(alone.map(texts => texts.length)).toEqual([4, 1]);
      const after = await tripsOf(async (em, session) => {
        await em.count(Author);
        session.notify('a', 'b');
        session.notify('c', 'd');
      });
      expect(after.map(texts => texts.length)).toEqual([3, 2, 1]);
    });
  });
});

describe('a service that listens, and its server', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.dispose());

  test('is restarted: each handler gets a gap, and the messages that follow', async () => {
    const url = await server.createDatabase('restarted');
    await using service = await connectPostgresqlService({ url, options: quick });
    const { seen, record } = recorder();
    await using _ = await service.database.listen('restart', record);
    await server.restart('immediate');
    await eventually(() => expect(seen).toEqual(['gap started', 'gap reconnected']), { timeoutMs: 10_000 });
    await send(service.database, 'restart', 'after');
    await eventually(() => expect(seen.at(-1)).toBe('after'));
  });

  test('a message is delivered once when the answer to its COMMIT is lost', async () => {
    const url = await server.createDatabase('cut');
    await using proxy = await startTcpProxy({ to: url });
    await using service = createPostgresqlService({ url: proxy.url() });
    await using listening = createPostgresqlService({ url });
    await Promise.all([service.database.connect(), listening.database.connect()]);
    const { seen, record } = recorder();
    await using _ = await listening.database.listen('cut', record);
    for (const when of ['before', 'after'] as const) {
      const cut = proxy.onceAtCommit(when);
      await send(service.database, 'cut', when);
      await cut;
    }
    await send(service.database, 'cut', 'end');
    await eventually(() => expect(seen).toEqual(['gap started', 'before', 'after', 'end']));
  });

  test('becomes read-only: it is left, and listened to again when it takes writes', async () => {
    const url = await server.createDatabase('read_only');
    await using service = await connectPostgresqlService({ url, options: quick });
    const { seen, record } = recorder();
    await using _ = await service.database.listen('read-only', record);
    await server.query('alter system set default_transaction_read_only = on');
    await server.query('select pg_reload_conf()');
    await eventually(() => service.database.listening?.state === 'connecting');
    await server.query('alter system reset default_transaction_read_only');
    await server.query('select pg_reload_conf()');
    await eventually(() => service.database.listening?.state === 'listening', { timeoutMs: 10_000 });
    await send(service.database, 'read-only', 'after');
    await eventually(() => expect(seen.at(-1)).toBe('after'));
    expect(seen.at(-2)).toBe('gap reconnected');
  });
});

describe.skipIf(!hasPgbouncer)('a service that listens behind PgBouncer', () => {
  test.each(['session', 'transaction'] as const)('in %s mode', async poolMode => {
    await using testDatabase = await createTestDatabase();
    await using bouncer = await startPgbouncer({ to: testDatabase.url, poolMode });
    const options = { pool: { max: 3 }, engine: { pooler: 'pgbouncer', pooling: poolMode } } as const;
    await using service = await connectPostgresqlService({ url: bouncer.url(), options });
    const { database } = service;
    const { seen, record } = recorder();
    if (poolMode === 'transaction') {
      await expect(database.listen('pooled', record)).rejects.toMatchObject({
        code: 'DATABASE_UNSUPPORTED',
        facts: { capability: 'listen' },
        hint: expect.stringContaining('bypasses the pooler'),
      });
    } else await database.listen('pooled', record);
    await using direct = await connectPostgresqlService({ url: testDatabase.url });
    await direct.database.listen('pooled', record);
    await send(database, 'pooled', 'through the pooler');
    const handlers = poolMode === 'session' ? 2 : 1;
    await eventually(() => expect(seen.filter(text => text === 'through the pooler')).toHaveLength(handlers));
  });
});

describe('a service that listens, and a failover', () => {
  test('goes to the new primary, and gives each handler a gap', async () => {
    await using pair = await startReplicatedPostgres();
    const primary = await pair.primary.createDatabase('listening');
    await pair.caughtUp();
    const url = primary.replace(`:${pair.primary.port}/`, `:${pair.primary.port},127.0.0.1:${pair.standby.port}/`);
    await using service = await connectPostgresqlService({ url, options: quick });
    const { database } = service;
    const { seen, record } = recorder();
    await using _ = await database.listen('failover', record);
    await pair.primary.kill('SIGKILL');
    await pair.promote();
    await eventually(() => expect(seen).toEqual(['gap started', 'gap reconnected']), { timeoutMs: 15_000 });
    await send(database, 'failover', 'after');
    await eventually(() => expect(seen.at(-1)).toBe('after'));
  }, 40_000);

  test('is refused by a standby, which the error says', async () => {
    await using pair = await startReplicatedPostgres();
    await pair.primary.createDatabase('standby');
    await pair.caughtUp();
    const url = `postgresql://keelson:keelson@127.0.0.1:${pair.standby.port}/standby`;
    await using service = await connectPostgresqlService({ url, options: quick });
    await expect(service.database.listen('standby', () => {}, { timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'DATABASE_LISTEN_FAILED',
      facts: { sqlState: '25006' },
    });
  }, 40_000);
});

function fail(): never {
  throw new Error('not called');
}
