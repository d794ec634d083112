import { currentContext, Deadline, systemClock } from '@keelson/core';
import type { DatabaseService } from '@keelson/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('a session on demand', () => {
  let service: TestService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startTestService();
    database = service.database;
  });
  afterAll(() => service[Symbol.asyncDispose]());

  const emails = () => database.read(async em => (await em.findAll(Author)).map(({ email }) => email));

  test('is opened by the work that joins it, which is stored when it is committed', async () => {
    const demand = await database.sessionOnDemand({ name: 'request' });
    expect(demand.opened).toBeUndefined();
    await demand.run(() => database.session(async em => void em.create(Author, { email: 'joined@example.org' })));
    expect(await emails()).not.toContain('joined@example.org');
    await demand.opened?.commit();
    expect(await emails()).toContain('joined@example.org');
    demand.close();
  });

  test('is opened by the first code that asks for the current session, and is the same for all', async () => {
    const demand = await database.sessionOnDemand();
    const seen = await demand.run(async () => {
      const asked = database.currentSession();
      await new Promise(setImmediate);
      return [asked, database.currentSession(), demand.open(), demand.opened];
    });
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatchObject({ state: 'open' });
    await demand.opened?.rollback();
    demand.close();
  });

  test('has its id in log lines before it is opened', async () => {
    const demand = await database.sessionOnDemand();
    const { sessionId } = demand.run(currentContext);
    expect(demand.opened).toBeUndefined();
    expect(demand.open().id).toBe(sessionId);
    await demand.opened?.rollback();
    demand.close();
  });

  test('is not opened by work beside it or outside of it', async () => {
    const demand = await database.sessionOnDemand();
    await demand.run(async () => {
      await database.read(em => em.count(Author), { nested: 'separate' });
      await database.outside(() => database.read(em => em.count(Author)));
      await using beside = await database.openSession();
      await beside.rollback();
    });
    expect(demand.opened).toBeUndefined();
    demand.close();
  });

  test('nests savepoints, and its server refuses writes when it is read-only', async () => {
    const demand = await database.sessionOnDemand({ readOnly: true });
    const em = demand.open().em;
    await expect(em.transactional(inner => inner.count(Author))).resolves.toBeTypeOf('number');
    await expect(em.insert(Author, { email: 'refused@example.org' })).rejects.toThrow('read-only transaction');
    await demand.opened?.rollback();
    demand.close();
  });

  test('has its time from the start, not from its first use', async () => {
    const demand = await database.sessionOnDemand({ timeoutMs: 150 });
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 200);
    const late = demand.open();
    await expect(late.em.count(Author)).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
    await late.rollback();
    demand.close();
  });

  test('is no session any more once it is closed: work that comes later has one of its own', async () => {
    const demand = await database.sessionOnDemand();
    demand.close();
    await demand.run(async () => {
      expect(database.currentSession()).toBeUndefined();
      await database.session(async em => void em.create(Author, { email: 'later@example.org' }));
    });
    expect(await emails()).toContain('later@example.org');
    expect(() => demand.open()).toThrow(expect.objectContaining({ code: 'DATABASE_SESSION_CLOSED' }));
  });

  test('that is aborted ends its statement, and nothing is stored', async () => {
    const demand = await database.sessionOnDemand({ name: 'request' });
    const { em } = demand.open();
    em.create(Author, { email: 'aborted@example.org' });
    await em.flush();
    const statement = em.execute('select pg_sleep(30)').catch((error: unknown) => error);
    const reason = new Error('gone');
    demand.abort(reason);
    expect(await statement).toMatchObject({ code: 'DATABASE_SESSION_ABORTED', cause: reason });
    await demand.opened?.rollback();
    expect(await emails()).not.toContain('aborted@example.org');
  });

  test('may be opened while the database drains, which waits until it is closed', async () => {
    const demand = await database.sessionOnDemand();
    const drained = database.drain(Deadline.after(5_000, systemClock));
    expect(await demand.open().em.count(Author)).toBeTypeOf('number');
    await demand.opened?.commit();
    expect(await Promise.race([drained, 'waits'])).toBe('waits');
    demand.close();
    expect(await drained).toBe(true);
    const late = await database.sessionOnDemand();
    expect(() => late.open()).toThrow(expect.objectContaining({ code: 'DATABASE_CLOSED' }));
    late.close();
    database.resume();
  });

  test('is opened at the start when a subscriber takes part in the begin of transactions', async () => {
    await using own = await connectPostgresqlService({ url: service.testDatabase.url });
    const seen: string[] = [];
    let failure: Error | undefined;
    await own.database.session(async em => {
      em.getEventManager().registerSubscriber({
        beforeTransactionStart: async () => {
          seen.push('before');
          if (failure !== undefined) throw failure;
        },
        afterTransactionStart: async () => void seen.push('after'),
      });
    });
    const demand = await own.database.sessionOnDemand();
    expect([seen, demand.opened?.state]).toEqual([['before', 'after'], 'open']);
    await demand.opened?.rollback();
    demand.close();
    failure = new Error('of the subscriber');
    await expect(own.database.sessionOnDemand()).rejects.toThrow('of the subscriber');
    expect(await own.database.drain(Deadline.after(1_000, systemClock))).toBe(true);
  });
});
