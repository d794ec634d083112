import { getEventListeners } from 'node:events';
import { ConcurrentUseError, type DatabaseService, type EntityManager } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type ProxiedService, startProxiedService } from '@keelson/test-support/test-service';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('a session on PostgreSQL', () => {
  let proxy: TcpProxy;
  let service: ProxiedService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startProxiedService();
    ({ proxy, database } = service);
  });
  afterAll(() => service[Symbol.asyncDispose]());

  test('that was to commit while a statement of it still ran is rolled back, and says so', async () => {
    let forgotten: Promise<unknown> | undefined;
    const unawaited = database.session(async em => {
      await em.insert(Author, { email: 'unawaited@example.org' });
      forgotten = em.execute('select pg_sleep(5)').catch(() => 'ended');
    });
    await expect(unawaited).rejects.toBeInstanceOf(ConcurrentUseError);
    expect(await forgotten).toBe('ended');
    expect(await database.read(em => em.count(Author, { email: 'unawaited@example.org' }))).toBe(0);
  });

  test('that may run only once says in its error that it could have been run again', async () => {
    const cut = proxy.onceAt(/pg_sleep\(0\)/, 'before');
    const once = database.session(em => em.execute('select pg_sleep(0)'), { retry: 'never' });
    await expect(once).rejects.toMatchObject({
      code: 'DATABASE_CONNECTION_LOST',
      facts: { notRepeated: "safe to repeat, but the session said { retry: 'never' }" },
    });
    await cut;
  });

  test('opened by its owner gets its first statement through although the connection is lost under it', async () => {
    const cut = proxy.onceAt(/open-first/, 'before');
    await using session = await database.openSession();
    expect(await session.em.execute("select 'open-first' as text")).toEqual([{ text: 'open-first' }]);
    await cut;
    await session.commit();
  });

  test('opened by its owner ends when the connection is lost under a later statement', async () => {
    await using session = await database.openSession();
    await session.em.insert(Author, { email: 'later@example.org' });
    const cut = proxy.onceAt(/open-later/, 'before');
    await expect(session.em.execute("select 'open-later'")).rejects.toThrow();
    await cut;
    await expect(session.commit()).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_FAILED' });
    expect(await database.read(em => em.count(Author, { email: 'later@example.org' }))).toBe(0);
  });

  test('ends a stream whose connection is lost, also between two reads', async () => {
    const admin = new pg.Client(service.testDatabase.adminUrl);
    await admin.connect();
    for (const readsFirst of [true, false]) {
      const session = await database.openSession({ timeoutMs: 10_000 });
      const [row] = await session.em.execute('select pg_backend_pid() as pid');
      const numbers = session.em
        .getKysely<{ numbers: { n: number } }>()
        .selectFrom(sql<{ n: number }>`generate_series(1, 9)`.as('numbers'))
        .selectAll()
        .stream(2);
      const rows = numbers[Symbol.asyncIterator]();
      await rows.next();
      await rows.next();
      if (readsFirst) await rows.next();
      await admin.query(`select pg_terminate_backend(${row?.pid})`);
      await eventually(async () => {
        const backends = await admin.query(`select from pg_stat_activity where pid = ${row?.pid}`);
        return backends.rowCount === 0;
      });
      const startedAt = performance.now();
      await expect(
        rows
          .next()
          .then(() => rows.next())
          .then(() => rows.next()),
      ).rejects.toThrow();
      await session.rollback();
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    }
    await admin.end();
  });

  test('rolled back by the reader of its stream ends the stream without waiting', async () => {
    const session = await database.openSession({ timeoutMs: 10_000 });
    const startedAt = performance.now();
    const numbers = session.em
      .getKysely<{ numbers: { n: number } }>()
      .selectFrom(sql<{ n: number }>`generate_series(1, 9)`.as('numbers'))
      .selectAll()
      .stream(2);
    const read = async () => {
      for await (const _ of numbers) await session.rollback();
    };
    await expect(read()).rejects.toMatchObject({ code: 'DATABASE_SESSION_CLOSED' });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('has timeouts, isolation and read-only of its own, sent with its first statement', async () => {
    const recording = proxy.recording();
    const shown = await database.session(
      em =>
        em.execute(`select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
          current_setting('idle_in_transaction_session_timeout') as idle,
          current_setting('transaction_isolation') as isolation, current_setting('transaction_deferrable') as deferrable`),
      {
        statementTimeoutMs: 1_234,
        lockTimeoutMs: 345,
        idleTimeoutMs: 5_678,
        isolation: 'serializable',
        readOnly: true,
        deferrable: true,
      },
    );
    expect(shown).toEqual([
      { statement: '1234ms', lock: '345ms', idle: '5678ms', isolation: 'serializable', deferrable: 'on' },
    ]);
    expect(recording.statements[0]).toHaveLength(5);
    expect(await database.session(em => em.execute('show statement_timeout'))).toEqual([{ statement_timeout: '30s' }]);
  });

  test('a statement over its own timeout is a QueryError, and the server is known to be well', async () => {
    const slow = database.session(em => em.execute('select pg_sleep(5)'), { statementTimeoutMs: 20 });
    await expect(slow).rejects.toMatchObject({ kind: 'statement-timeout', http: { status: 503 } });
    expect(database.state.is).toBe('connected');
  });

  test('a statement cancelled on the server is distinguished from a timeout', async () => {
    const admin = new pg.Client(service.testDatabase.adminUrl);
    await admin.connect();
    const sleeping = `select pid from pg_stat_activity where datname = current_database() and query like '%pg_sleep(31)%' and pid <> pg_backend_pid()`;
    const slow = database.session(em => em.execute('select pg_sleep(31)'));
    slow.catch(() => {});
    await eventually(async () => (await admin.query(sleeping)).rowCount === 1);
    await admin.query(`select pg_cancel_backend(pid) from (${sleeping}) as asleep`);
    await expect(slow).rejects.toMatchObject({ kind: 'cancelled', http: { status: 503 } });
    await admin.end();
  });

  test('two that deadlock are both stored: the one that was chosen is run again', async () => {
    await database.session(em => em.insertMany(Author, [{ email: 'a@example.org' }, { email: 'b@example.org' }]));
    const bothLocked = Promise.withResolvers<void>();
    let locked = 0;
    const attempts: number[] = [];
    const update = (first: string, second: string) =>
      database.session(async (em, session) => {
        attempts.push(session.attempt);
        await em.nativeUpdate(Author, { email: first }, { name: first });
        if (++locked === 2) bothLocked.resolve();
        await bothLocked.promise;
        await em.nativeUpdate(Author, { email: second }, { name: second });
      });
    await Promise.all([update('a@example.org', 'b@example.org'), update('b@example.org', 'a@example.org')]);
    expect(attempts.sort()).toEqual([1, 1, 2]);
  });

  test('drain refuses new sessions and waits for open ones; resume lets sessions in again', async () => {
    const release = Promise.withResolvers<void>();
    const open = database.session(async em => {
      await em.count(Author);
      await release.promise;
    });
    await eventually(() => database.stats().busy === 1);
    const { Deadline, systemClock } = await import('@keelson/core');
    expect(await database.drain(Deadline.after(20, systemClock))).toBe(false);
    await expect(database.session(em => em.count(Author))).rejects.toMatchObject({ code: 'DATABASE_CLOSED' });
    const drained = database.drain(Deadline.after(5_000, systemClock));
    release.resolve();
    await open;
    expect(await drained).toBe(true);
    database.resume();
    await database.session(em => em.count(Author));
  });

  test('drain waits for a unit between two of its attempts, and lets it have the next', async () => {
    const { Deadline, systemClock } = await import('@keelson/core');
    const attempts: number[] = [];
    let drained: Promise<boolean> | undefined;
    const unit = database.session(async (em, { attempt }) => {
      attempts.push(attempt);
      drained ??= database.drain(Deadline.after(5_000, systemClock));
      if (attempt === 1) await em.execute(`do $$ begin raise exception using errcode = '40001'; end $$`);
    });
    await unit;
    expect({ attempts, drained: await drained }).toEqual({ attempts: [1, 2], drained: true });
    database.resume();
  });

  test('is committed for its caller although a subscriber of MikroORM fails after the COMMIT', async () => {
    await using own = await connectPostgresqlService({ url: service.testDatabase.url });
    const reported: string[] = [];
    await own.database.session(async (em, session) => {
      em.getEventManager().registerSubscriber({
        afterTransactionCommit: () => Promise.reject(new Error('of the subscriber')),
      });
      session.onCommit(() => void reported.push('committed'));
      session.onRollback(() => void reported.push('rolled back'));
      await em.insert(Author, { email: 'subscribed@example.org' });
    });
    expect(reported).toEqual(['committed']);
    expect(own.logger.find('a subscriber failed after the commit')?.level).toBe('error');
    expect(await database.read(em => em.count(Author, { email: 'subscribed@example.org' }))).toBe(1);
  });

  test('that is committed is done for its caller, also when what runs after the commit takes longer than there is time', async () => {
    const caller = new AbortController();
    for (const [ending, email, leave] of [
      [{ timeoutMs: 200 }, 'slow-callback@example.org', () => {}],
      [{ signal: caller.signal }, 'left-callback@example.org', () => caller.abort(new Error('gone away'))],
    ] as const) {
      const given = await database.session(async (em, session) => {
        await em.insert(Author, { email });
        session.onCommit(() => {
          leave();
          return new Promise<void>(() => {});
        });
        return 'stored';
      }, ending);
      expect(given).toBe('stored');
      expect(await database.read(em => em.count(Author, { email }))).toBe(1);
    }
  });

  test('that is committed is done for its caller, also when a subscriber of MikroORM never ends after the COMMIT', async () => {
    await using own = await connectPostgresqlService({ url: service.testDatabase.url });
    const heard: string[] = [];
    const given = await own.database.session(
      async (em, session) => {
        em.getEventManager().registerSubscriber({ afterTransactionCommit: () => new Promise<void>(() => {}) });
        session.onCommit(() => void heard.push('committed'));
        await em.insert(Author, { email: 'hanging@example.org' });
        return 'stored';
      },
      { timeoutMs: 300 },
    );
    expect(given).toBe('stored');
    await eventually(() => expect(heard).toEqual(['committed']));
    expect(await database.read(em => em.count(Author, { email: 'hanging@example.org' }))).toBe(1);
  });

  test('that has committed by itself is not run again, whatever its work throws then', async () => {
    const heard: string[] = [];
    const conflict = Object.assign(new Error('of something else'), { code: '40001' });
    const unit = database.session(async (em, session) => {
      session.onCommit(() => void heard.push(`committed ${session.attempt}`));
      session.onRollback(() => void heard.push(`rolled back ${session.attempt}`));
      await em.insert(Author, { email: 'by-itself@example.org' });
      await session.commit();
      throw conflict;
    });
    await expect(unit).rejects.toBe(conflict);
    expect(heard).toEqual(['committed 1']);
    expect(await database.read(em => em.count(Author, { email: 'by-itself@example.org' }))).toBe(1);
  });

  test('that MikroORM was to commit past it is rolled back, and says so', async () => {
    const heard: string[] = [];
    const unit = database.session(async (em, session) => {
      session.onCommit(() => void heard.push('committed'));
      session.onRollback(() => void heard.push('rolled back'));
      await em.insert(Author, { email: 'past-it@example.org' });
      await em.commit().catch(() => {});
      em.create(Author, { email: 'past-it-too@example.org' });
    });
    await expect(unit).rejects.toMatchObject({
      code: 'DATABASE_TRANSACTION_BY_HAND',
      facts: { by: 'em.commit()', stored: 'nothing' },
    });
    expect(heard).toEqual(['rolled back']);
    expect(await database.read(em => em.count(Author, { email: { $like: 'past-it%' } }))).toBe(0);
  });

  test('whose transaction was rolled back past it is not called committed', async () => {
    const heard: string[] = [];
    const unit = database.session(async (em, session) => {
      session.onCommit(() => void heard.push('committed'));
      session.onRollback(() => void heard.push('rolled back'));
      await em.insert(Author, { email: 'rolled-back-past-it@example.org' });
      await em.getTransactionContext<{ rollback(): { execute(): Promise<void> } }>()?.rollback().execute();
    });
    await expect(unit).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_BY_HAND', facts: { by: 'em.rollback()' } });
    expect(heard).toEqual(['rolled back']);
    expect(await database.read(em => em.count(Author, { email: 'rolled-back-past-it@example.org' }))).toBe(0);
  });

  test('that was to commit while its first statement still waited for a connection is rolled back, and says so', async () => {
    await using single = await connectPostgresqlService({
      url: service.testDatabase.url,
      options: { pool: { max: 1 } },
    });
    await using holder = await single.database.openSession();
    await holder.em.execute('select 1');
    const forgotten: Promise<unknown>[] = [];
    const forget = (em: EntityManager) => forgotten.push(em.execute('select 2').catch(error => error.code));
    const unit = single.database.session(async em => void forget(em));
    await expect(unit).rejects.toBeInstanceOf(ConcurrentUseError);
    await using opened = await single.database.openSession();
    forget(opened.em);
    await expect(opened.commit()).rejects.toBeInstanceOf(ConcurrentUseError);
    expect(await Promise.all(forgotten)).toEqual(['DATABASE_SESSION_CLOSED', 'DATABASE_SESSION_CLOSED']);
  });

  test('that commits with an abandoned stream is refused at once', async () => {
    const session = await database.openSession();
    session.em.create(Author, { email: 'behind-a-stream@example.org' });
    const numbers = session.em
      .getKysely<{ numbers: { n: number } }>()
      .selectFrom(sql<{ n: number }>`generate_series(1, 9)`.as('numbers'))
      .selectAll()
      .stream(2);
    await numbers[Symbol.asyncIterator]().next();
    await expect(session.commit()).rejects.toMatchObject({ code: 'DATABASE_CONCURRENT_USE' });
    expect(session.state).toBe('rolled back');
    await eventually(() => expect(database.stats().busy).toBe(0));
  });

  test('that a subscriber of MikroORM keeps from beginning leaves nothing waiting for its signal', async () => {
    await using own = await connectPostgresqlService({ url: service.testDatabase.url });
    await own.database.session(async em => {
      em.getEventManager().registerSubscriber({
        beforeTransactionStart: () => Promise.reject(new Error('of the subscriber')),
      });
    });
    const caller = new AbortController();
    await expect(own.database.openSession({ signal: caller.signal })).rejects.toThrow('of the subscriber');
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  test('a suspended database lets a session wait, and goes on when it is resumed', async () => {
    database.suspend();
    const waiting = database.session(em => em.count(Author));
    await eventually(() => database.stats().waiting === 1);
    database.resume();
    await waiting;
    expect(database.stats().counters.waited).toBeGreaterThan(0);
  });

  test('renewed connections replace the old ones without interrupting a session', async () => {
    const pid = (em: { execute(sql: string): Promise<{ pid: number }[]> }) =>
      em.execute('select pg_backend_pid() as pid');
    const [before] = await database.session(async em => {
      const first = await pid(em);
      database.renewConnections();
      expect(await pid(em)).toEqual(first);
      return first;
    });
    const [after] = await database.session(em => pid(em));
    expect(after?.pid).not.toBe(before?.pid);
    expect(database.stats().counters.discarded.invalidated).toBeGreaterThan(0);
  });
});
