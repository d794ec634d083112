import { type Clock, systemClock } from '@keelson/core';
import { RecordingTelemetry } from '@keelson/core/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import type { EventSubscriber } from '@mikro-orm/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

/** No other timer has as long to go. */
const timeoutMs = 12_345_678;

describe('a session that nothing uses', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let telemetry: RecordingTelemetry;
  let passedMs: number;
  /** Of timers of sessions, those that were set and not cancelled. */
  let timers: number;

  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + passedMs,
    schedule(ms, callback, options) {
      const timer = systemClock.schedule(ms, callback, options);
      if (ms < timeoutMs / 2) return timer;
      timers += 1;
      return {
        cancel: () => {
          timers -= 1;
          timer.cancel();
        },
      };
    },
  };
  const opened = (signal?: AbortSignal) =>
    service.database.openSession({ timeoutMs, ...(signal !== undefined && { signal }) });
  const spanOfSession = () => telemetry.spans('db.session')[0];

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    await using setup = createPostgresqlService({ url: testDatabase.url });
    await setup.database.connect();
    await setup.database.migrate();
  });
  afterAll(() => testDatabase[Symbol.asyncDispose]());
  beforeEach(async () => {
    passedMs = 0;
    timers = 0;
    telemetry = new RecordingTelemetry();
    service = createPostgresqlService({ url: testDatabase.url, clock, telemetry });
    await service.database.connect();
  });
  afterEach(() => service[Symbol.asyncDispose]());

  test('sets no timer, and asks for no connection', async () => {
    const session = await opened();
    expect(timers).toBe(0);
    await session.commit();
    expect(session.state).toBe('committed');
    expect(service.database.stats().counters.acquired).toBe(0);
  });

  test.for(['em', 'signal'] as const)(
    'sets a timer when its %s is asked for, and takes it back at its end',
    async name => {
      const session = await opened();
      expect(session[name]).toBeDefined();
      expect(session[name]).toBe(session[name]);
      expect(timers).toBe(1);
      await session.rollback();
      expect(timers).toBe(0);
      expect(session.state).toBe('rolled back');
    },
  );

  test('is over its deadline when it is first used after that', async () => {
    const session = await opened();
    passedMs = timeoutMs;
    await expect(session.em.find(Author, {})).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
    expect(session.signal.aborted).toBe(true);
    await session.rollback();
  });

  test('is aborted when it is first used after its caller has given up', async () => {
    const caller = new AbortController();
    const session = await opened(caller.signal);
    caller.abort(new Error('given up'));
    expect(session.signal).toMatchObject({ aborted: true, reason: { code: 'DATABASE_SESSION_ABORTED' } });
    await expect(session.em.find(Author, {})).rejects.toBe(session.signal.reason);
    await session.rollback();
  });

  test('that was aborted has an aborted signal, whenever that is asked for', async () => {
    const late = await service.database.sessionOnDemand({ timeoutMs });
    const session = late.open();
    late.abort(new Error('gone away'));
    expect(session.signal).toMatchObject({ aborted: true, reason: { code: 'DATABASE_SESSION_ABORTED' } });
    await session.rollback();
    expect(timers).toBe(0);
  });

  test('and is rolled back after its deadline has a span that says so', async () => {
    const session = await opened();
    passedMs = timeoutMs;
    await session.rollback();
    expect(spanOfSession()).toMatchObject({ status: 'error' });
    expect(timers).toBe(0);
  });

  test('and is rolled back before has a span that is no error', async () => {
    const session = await opened();
    await session.rollback();
    expect(spanOfSession()?.status).not.toBe('error');
  });

  test('and has ended refuses what comes then, and sets no timer for it', async () => {
    const session = await opened();
    await session.rollback();
    await expect(session.em.find(Author, {})).rejects.toMatchObject({ code: expect.stringMatching(/^DATABASE_/) });
    expect(session.signal.aborted).toBe(false);
    expect(timers).toBe(0);
    await expect(session.commit()).rejects.toMatchObject({ code: 'DATABASE_SESSION_CLOSED' });
  });

  test.for(['commit', 'rollback'] as const)('shows its %s to a subscriber', async end => {
    const seen: string[] = [];
    const subscriber: EventSubscriber = {
      beforeTransactionCommit: () => void seen.push('commit'),
      beforeTransactionRollback: () => void seen.push('rollback'),
    };
    const models = [{ ...sampleModel, orm: { subscribers: [subscriber] } }];
    await using observed = createPostgresqlService({ url: testDatabase.url, models });
    await observed.database.connect();
    const session = await observed.database.openSession();
    await session[end]();
    expect(seen).toEqual([end]);
  });
});
