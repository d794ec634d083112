import { Deadline, type RetryPolicy, systemClock } from '@keelson/core';
import type { DatabaseService, DatabaseSession, OpenSessionOptions } from '@keelson/database';
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
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** Far below `cancelGraceMs` (2 s), far above what a machine that is busy takes for one turn of its loop. */
const atOnceMs = 500;
/** What a busy machine takes at most for a few statements, so that a session reaches its COMMIT before its deadline. */
const enoughMs = 2_500;

describe('a session at its deadline', () => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let url: string;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase('deadlines');
    await migrateDatabase(url);
    proxy = await startTcpProxy({ to: url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await server.dispose();
  });
  beforeEach(() => open());
  afterEach(async () => {
    server.thaw();
    await proxy.setMode('pass');
    await untilAtRest(database);
    await service[Symbol.asyncDispose]();
    expect(database.stats()).toMatchObject({ total: 0, busy: 0, waiting: 0 });
    await server.query('truncate author', [], 'deadlines');
  });

  const open = async (options: PostgresqlServiceOptions['options'] = {}) => {
    service = await connectPostgresqlService({ url: proxy.url(), options: { pool: { max: 2 }, ...options } });
    database = service.database;
  };
  const reopen = async (options: PostgresqlServiceOptions['options']) => {
    await service[Symbol.asyncDispose]();
    await open(options);
  };
  /** Opened now, with a transaction that has begun. */
  const begun = async (timeoutMs: number): Promise<DatabaseSession & { readonly dueAt: number }> => {
    const dueAt = performance.now() + timeoutMs;
    const session = await database.openSession({ timeoutMs });
    await session.em.execute('select 1');
    return Object.assign(session, { dueAt });
  };
  /** What `work` ended with, and how long after it was due: after a timer that was set for then, when that was late too. */
  const lateness = async (work: Promise<unknown>, { dueAt }: { readonly dueAt: number }) => {
    let rangAt = dueAt;
    const timer = setTimeout(() => {
      rangAt = Math.max(dueAt, performance.now());
    }, dueAt - performance.now());
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    clearTimeout(timer);
    return { error, lateMs: performance.now() - rangAt };
  };
  const dueIn = (ms: number) => ({ dueAt: performance.now() + ms });
  const inTime = { error: { code: 'DATABASE_SESSION_ABORTED', facts: { reason: 'deadline' } } };
  const stored = () => server.query('select email from author order by id', [], 'deadlines');
  const active = (mark: string) =>
    server.query(
      `select pid from pg_stat_activity where state = 'active' and query like '%${mark}%' and pid <> pg_backend_pid()`,
    );

  const expectAtOnce = ({ lateMs }: { lateMs: number }) => {
    expect(lateMs).toBeGreaterThan(-20);
    expect(lateMs).toBeLessThan(atOnceMs);
  };

  for (const [what, silence] of [
    ['is frozen (SIGSTOP)', () => server.freeze()],
    ['is behind a black hole', () => proxy.setMode('blackhole')],
  ] as const) {
    test(`whose server ${what} is over for its caller at once; its connection is destroyed later`, async () => {
      const session = await begun(500);
      await silence();
      const outcome = await lateness(session.em.insert(Author, { email: 'late@example.org' }), session);
      expect(outcome).toMatchObject(inTime);
      expectAtOnce(outcome);
      expect(database.stats()).toMatchObject({ total: 1, idle: 0, busy: 1 });
      const end = await lateness(session.rollback(), session);
      expectAtOnce(end);
      await expect(session.em.execute('select 1')).rejects.toMatchObject(inTime.error);
      await eventually(() => expect(database.stats()).toMatchObject({ total: 0, busy: 0 }));
      server.thaw();
      await proxy.setMode('pass');
      expect(await stored()).toEqual([]);
    });
  }

  test('is over at once with its first statement, and while a connection that says nothing is asked if it lives', async () => {
    await reopen({ pool: { max: 1, pingAfterIdleMs: 0, pingTimeoutMs: 1_500 } });
    await database.session(em => em.execute('select 1'));
    await untilAtRest(database);
    await proxy.setMode('blackhole');
    const due = dueIn(200);
    const session = await database.openSession({ timeoutMs: 200 });
    const outcome = await lateness(session.em.execute('select 1'), due);
    expect(outcome.error).toMatchObject({
      code: expect.toBeOneOf(['DATABASE_SESSION_ABORTED', 'RETRY_DEADLINE_EXCEEDED', 'DATABASE_ACQUIRE_TIMEOUT']),
    });
    expectAtOnce(outcome);
    await session.rollback();
  });

  test('is the same with its first statement, which a retry policy watches over', async () => {
    await database.session(em => em.execute('select 1'));
    await untilAtRest(database);
    await proxy.setMode('blackhole');
    const due = dueIn(200);
    await using session = await database.openSession({ timeoutMs: 200 });
    const outcome = await lateness(session.em.insert(Author, { email: 'first@example.org' }), due);
    expect(outcome).toMatchObject(inTime);
    expectAtOnce(outcome);
  });

  test('has its statement cancelled on a server that is well, and its connection is used again', async () => {
    const session = await begun(500);
    const [before] = await session.em.execute('select pg_backend_pid() as pid');
    const outcome = await lateness(session.em.execute("select pg_sleep(61), 'asleep'"), session);
    expect(outcome).toMatchObject(inTime);
    expectAtOnce(outcome);
    await eventually(async () => expect(await active('asleep')).toEqual([]));
    await session.rollback();
    await untilAtRest(database);
    const [after] = await database.session(em => em.execute('select pg_backend_pid() as pid'));
    expect(after).toEqual(before);
    expect(database.stats().counters).toMatchObject({ opened: 1, discarded: {} });
    expect(service.logger.findAll(/^(slow )?statement$/).map(({ facts }) => facts?.failed)).toContain(true);
  });

  test('has the default time when it was given one that is no number', async () => {
    await reopen({ session: { timeoutMs: 200 } });
    const waiting = database.session(em => em.execute('select pg_sleep(60)'), { timeoutMs: Number.NaN });
    await expect(waiting).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
  });

  test('in a flush that takes longer than its time has stored nothing of it', async () => {
    const work = database.session(
      async em => {
        for (let at = 0; at < 5_000; at++) em.create(Author, { email: `${at}@example.org` });
      },
      { timeoutMs: 40 },
    );
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED', facts: { reason: 'deadline' } });
    expect(await server.query('select count(*)::int as count from author', [], 'deadlines')).toEqual([{ count: 0 }]);
  });

  test('is over at once for a caller who gives up', async () => {
    const caller = new AbortController();
    const session = await database.openSession({ signal: caller.signal });
    await session.em.execute('select 1');
    await proxy.setMode('blackhole');
    const inserted = session.em.insert(Author, { email: 'given-up@example.org' });
    const heard = expect(inserted).rejects.toMatchObject({
      code: 'DATABASE_SESSION_ABORTED',
      facts: { reason: 'signal' },
    });
    const abortedAt = performance.now();
    caller.abort(new Error('gone away'));
    await heard;
    await session.rollback();
    expect(performance.now() - abortedAt).toBeLessThan(atOnceMs);
  });

  test('does not wait for the answer to ROLLBACK, and does not lend the connection before it', async () => {
    const session = await begun(300);
    await session.em.insert(Author, { email: 'taken-back@example.org' });
    await proxy.setMode('blackhole');
    const outcome = await lateness(session.rollback(), session);
    expectAtOnce(outcome);
    expect(database.stats()).toMatchObject({ idle: 0, busy: 1 });
    await proxy.setMode('pass');
    await untilAtRest(database);
    expect(database.stats().counters.discarded).toEqual({});
    expect(await stored()).toEqual([]);
  });

  test('does not wait for the answer to COMMIT: its outcome is unknown, and stays so when the answer comes late', async () => {
    const reported: string[] = [];
    const session = await begun(enoughMs);
    session.onCommit(() => void reported.push('committed'));
    session.onRollback(() => void reported.push('rolled back'));
    await session.em.insert(Author, { email: 'ambiguous@example.org' });
    await proxy.setMode('blackhole');
    const outcome = await lateness(session.commit(), session);
    expect(outcome.error).toMatchObject({ code: 'DATABASE_AMBIGUOUS_COMMIT' });
    expectAtOnce(outcome);
    expect(database.stats()).toMatchObject({ idle: 0, busy: 1 });
    await proxy.setMode('pass');
    await untilAtRest(database);
    expect(database.stats().counters.discarded).toEqual({});
    expect(await stored()).toEqual([{ email: 'ambiguous@example.org' }]);
    expect({ reported, state: session.state }).toEqual({ reported: [], state: 'unknown' });
  });

  test('that had written no row gets the same error: what it did may be there without one', async () => {
    const session = await begun(enoughMs);
    await proxy.setMode('blackhole');
    const outcome = await lateness(session.commit(), session);
    expect(outcome.error).toMatchObject({ code: 'DATABASE_AMBIGUOUS_COMMIT' });
    expectAtOnce(outcome);
    expect(session.state).toBe('unknown');
  });

  test('as a unit whose COMMIT is not answered never reports that nothing is stored, whichever timer fires first', async () => {
    const size = 10;
    await reopen({ pool: { max: size } });
    for (let round = 0; round < 5; round++) {
      const written = Promise.withResolvers<void>();
      let writing = size;
      const unit = (_: unknown, index: number) =>
        database.session(
          async em => {
            await em.insert(Author, { email: `${round}-${index}@example.org` });
            if (--writing === 0) proxy.setMode('blackhole').then(written.resolve, written.reject);
            await written.promise;
          },
          { timeoutMs: enoughMs },
        );
      const outcomes = await Promise.allSettled(Array.from({ length: size }, unit));
      const reported = outcomes.map(outcome => outcome.status === 'rejected' && outcome.reason.code);
      expect(new Set(reported)).toEqual(new Set(['DATABASE_AMBIGUOUS_COMMIT']));
      await proxy.setMode('pass');
      await untilAtRest(database);
      expect(await stored()).toHaveLength(size * (round + 1));
    }
  }, 60_000);

  test('is committed all the same when it was not used: there is nothing that could be lost', async () => {
    const reported: string[] = [];
    const session = await database.openSession({ timeoutMs: 1 });
    session.onCommit(() => void reported.push('committed'));
    await eventually(() => expect(session.signal.aborted).toBe(true));
    await session.commit();
    expect({ reported, state: session.state }).toEqual({ reported: ['committed'], state: 'committed' });
  });

  test.each<[string, (options: OpenSessionOptions) => Promise<DatabaseSession>]>([
    ['by its caller', options => database.openSession(options)],
    ['on demand', async options => (await database.sessionOnDemand(options)).open()],
  ])('opened %s is not committed while its first statement waits for the server to come back', async (_, open) => {
    await service[Symbol.asyncDispose]();
    const breaker = { breakMs: 1, probes: 1 };
    const retry = new OpossumRetryPolicy({ options: { policies: { default: { breaker } } } });
    service = await connectPostgresqlService({ url: proxy.url(), retry });
    database = service.database;
    const down = { name: 'database.test', idempotent: false };
    while (retry.describe()[0]?.breaker.state !== 'open') {
      await retry.execute(() => Promise.reject(new Error('down')), down).catch(() => {});
    }
    // The only probe says nothing, so who comes after it waits.
    const probe = retry.execute(() => new Promise<never>(() => {}), {
      ...down,
      deadline: Deadline.after(1_000, systemClock),
    });
    const deadline = Deadline.after(300, systemClock);
    const session = await open({ deadline });
    const waits = session.em.insert(Author, { email: 'waits@example.org' }).catch((error: unknown) => error);
    await eventually(() => expect(retry.describe()[0]?.waiting).toBe(1));
    // Late without a turn of the loop: no timer has said so yet.
    while (!deadline.passed);
    await expect(session.commit()).rejects.toMatchObject(inTime.error);
    expect(await waits).toBeInstanceOf(Error);
    await expect(probe).rejects.toThrow();
    retry.stop();
  });

  test('is not committed after its first statement was ended while it waited, also when that was caught', async () => {
    /** Lets nothing through, as a breaker that waits for its probe. */
    const waiting: RetryPolicy = {
      execute: (_, { signal }) =>
        new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    };
    await using own = await connectPostgresqlService({ url: proxy.url(), retry: waiting });
    const session = await own.database.openSession({ timeoutMs: 50 });
    await expect(session.em.insert(Author, { email: 'waits@example.org' })).rejects.toThrow();
    await expect(session.commit()).rejects.toMatchObject(inTime.error);
  });

  test.each([new Error('gone away'), undefined])(
    'is aborted for a caller that gives up between two attempts, whatever its reason: %s',
    async reason => {
      const caller = new AbortController();
      const pausing: RetryPolicy = {
        execute: async work => {
          const { signal } = new AbortController();
          await work({ number: 1, deadline: Deadline.after(10_000, systemClock), signal, reportHealthy() {} }).catch(
            () => {},
          );
          caller.abort(reason);
          throw caller.signal.reason;
        },
      };
      await using own = await connectPostgresqlService({ url: proxy.url(), retry: pausing });
      const unit = own.database.session(() => Promise.reject(new Error('the work fails')), { signal: caller.signal });
      await expect(unit).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED', facts: { reason: 'signal' } });
    },
  );

  test('is not committed when it has anything to write', async () => {
    for (const use of [
      (session: DatabaseSession) => session.em.persist(session.em.create(Author, { email: 'new@example.org' })),
      (session: DatabaseSession) =>
        session.em.assign(session.em.getReference(Author, 1), { email: 'other@example.org' }),
      (session: DatabaseSession) => session.em.remove(session.em.getReference(Author, 1)),
    ]) {
      const session = await database.openSession({ timeoutMs: 1 });
      await eventually(() => expect(session.signal.aborted).toBe(true));
      use(session);
      await expect(session.commit()).rejects.toMatchObject(inTime.error);
      expect(session.state).toBe('rolled back');
    }
  });

  test('as a unit is over at once, and nothing of it is stored', async () => {
    await database.session(em => em.count(Author));
    await proxy.setMode('blackhole');
    const due = dueIn(300);
    const unit = database.session(em => em.insert(Author, { email: 'unit@example.org' }), { timeoutMs: 300 });
    const outcome = await lateness(unit, due);
    expect(outcome).toMatchObject(inTime);
    expectAtOnce(outcome);
    await proxy.setMode('pass');
    await untilAtRest(database);
    expect(await stored()).toEqual([]);
  });

  test('as a unit whose work has failed says why, though the server does not answer the ROLLBACK', async () => {
    const refused = new Error('refused by the work');
    const due = dueIn(300);
    const unit = database.session(
      async em => {
        await em.insert(Author, { email: 'refused@example.org' });
        await proxy.setMode('blackhole');
        throw refused;
      },
      { timeoutMs: 300 },
    );
    const outcome = await lateness(unit, due);
    expect(outcome.error).toBe(refused);
    expectAtOnce(outcome);
  });

  test('ends a stream at once: while the next rows are awaited, and while its reader does something else', async () => {
    const numbers = (session: DatabaseSession) =>
      session.em.getKysely<{ numbers: { n: number } }>().selectFrom('numbers').selectAll().stream(2);
    await server.query(
      'create table if not exists numbers as select * from generate_series(1, 9) as n',
      [],
      'deadlines',
    );
    await server.query('grant select on numbers to keelson', [], 'deadlines');

    const awaited = await begun(300);
    const rows = numbers(awaited)[Symbol.asyncIterator]();
    expect(await rows.next()).toMatchObject({ value: { n: 1 } });
    await rows.next();
    await proxy.setMode('blackhole');
    const outcome = await lateness(rows.next(), awaited);
    expect(outcome).toMatchObject(inTime);
    expectAtOnce(outcome);
    expectAtOnce(await lateness(awaited.rollback(), awaited));
    await proxy.setMode('pass');

    const pausing = await begun(300);
    const others = numbers(pausing)[Symbol.asyncIterator]();
    await others.next();
    await eventually(() => expect(pausing.signal.aborted).toBe(true));
    expectAtOnce(await lateness(pausing.rollback(), pausing));
    await untilAtRest(database);
    expect(await others.next()).toMatchObject({ value: { n: 2 } });
    await expect(others.next()).rejects.toMatchObject(inTime.error);
  });

  test('ends a bulk insert at once', async () => {
    const due = dueIn(600);
    const rows = async function* () {
      for (let id = 0; id < 20_000; id++) {
        if (id === 10_000) await proxy.setMode('blackhole');
        yield { email: `${id}@example.org` };
      }
    };
    const outcome = await lateness(database.bulkInsert(Author, rows, { timeoutMs: 600 }), due);
    expect(outcome).toMatchObject(inTime);
    expectAtOnce(outcome);
    await proxy.setMode('pass');
    await untilAtRest(database);
    expect(await stored()).toEqual([]);
  });

  test('ends nested work at once, whose savepoint can no longer be rolled back', async () => {
    const session = await begun(300);
    const nested = session.run(() =>
      database.transaction(async em => {
        await em.insert(Author, { email: 'nested@example.org' });
        await proxy.setMode('blackhole');
        await em.insert(Author, { email: 'nested-too@example.org' });
      }),
    );
    const outcome = await lateness(nested, session);
    expect(outcome).toMatchObject(inTime);
    expectAtOnce(outcome);
    await session.rollback();
  });

  test('leaves no socket behind: neither its own nor that of the cancel request', async () => {
    await service[Symbol.asyncDispose]();
    service = await connectPostgresqlService({ url, options: { session: { cancelGraceMs: 200 } } });
    database = service.database;
    const sockets = () => process.getActiveResourcesInfo().filter(kind => kind === 'TCPSocketWrap').length;
    const session = await begun(300);
    const before = sockets();
    server.freeze();
    await lateness(session.em.execute('select 1'), session);
    await eventually(() => expect(sockets()).toBe(before + 1));
    await eventually(() => expect(sockets()).toBe(before - 1));
  });

  test('that asks a connection if it lives does not keep a service from disconnecting in time', async () => {
    await reopen({ closeTimeoutMs: 100, pool: { max: 1, pingAfterIdleMs: 0, pingTimeoutMs: 4_000 } });
    await database.session(em => em.execute('select 1'));
    await untilAtRest(database);
    await proxy.setMode('blackhole');
    const heard = expect(database.session(em => em.execute('select 1'))).rejects.toMatchObject({
      code: 'DATABASE_CLOSED',
    });
    await eventually(() => expect(database.stats()).toMatchObject({ busy: 1 }));
    const startedAt = performance.now();
    await database.disconnect();
    await heard;
    expect(performance.now() - startedAt).toBeLessThan(100 + atOnceMs);
  });

  test('that waits for the outcome of its COMMIT stops waiting when the service closes', async () => {
    await reopen({ closeTimeoutMs: 100 });
    const session = await begun(60_000);
    await session.em.insert(Author, { email: 'closed@example.org' });
    await proxy.setMode('blackhole');
    const committed = expect(session.commit()).rejects.toMatchObject({
      code: 'DATABASE_AMBIGUOUS_COMMIT',
      facts: { why: 'the database service was closed before the answer' },
    });
    const startedAt = performance.now();
    await database.disconnect();
    await committed;
    expect(performance.now() - startedAt).toBeLessThan(100 + atOnceMs);
  });

  test('is waited for by a service that disconnects, within the time it has for that', async () => {
    await reopen({ closeTimeoutMs: 300, session: { cancelGraceMs: 60_000 } });
    const session = await begun(200);
    await proxy.setMode('blackhole');
    await lateness(session.em.execute('select 1'), session);
    expect(database.stats()).toMatchObject({ busy: 1 });
    const startedAt = performance.now();
    await database.disconnect();
    expect(performance.now() - startedAt).toBeGreaterThan(250);
    expect(performance.now() - startedAt).toBeLessThan(300 + atOnceMs);
    expect(database.stats()).toMatchObject({ total: 0, busy: 0 });
  });
});
