import { Deadline } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import type { DriverConnection } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const acquireTimeoutMs = 400;

describe('a caller whose connection is not open in time', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let clock: FakeClock;
  let service: PostgresqlService;
  let lent: DriverConnection;

  beforeAll(async () => {
    database = await createTestDatabase();
    proxy = await startTcpProxy({ to: database.url });
  });
  afterAll(async () => {
    await proxy.dispose();
    await database[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    clock = new FakeClock();
    const pool = { max: 1, acquireTimeoutMs, pingTimeoutMs: 100 };
    service = await connectPostgresqlService({ url: proxy.url(), options: { pool }, models: [], clock });
    lent = await acquire();
    await proxy.setMode('blackhole');
  });
  afterEach(async () => {
    await proxy.setMode('pass');
    await service[Symbol.asyncDispose]();
  });

  const acquire = (withinMs = 10_000) =>
    service.driver.acquire({ deadline: Deadline.after(withinMs, clock), readOnly: false });
  const failure = (of: Promise<unknown>) => of.catch((error: unknown) => error);
  const waits = () => eventually(() => service.driver.stats().waiting === 1);

  /** The next caller is let in, and the server does not answer it. */
  const giveUpLent = async () => {
    lent.destroy(new Error('of the test'));
    await eventually(() => service.driver.stats().total === 1);
  };

  const failureAfter = async (waitedMs: number) => {
    const ended = failure(acquire());
    await waits();
    await clock.advance(waitedMs);
    await giveUpLent();
    await clock.advance(acquireTimeoutMs - waitedMs);
    return ended;
  };

  test('waited most of its time for others: the pool is busy, and the server is not lost', async () => {
    expect(await failureAfter(350)).toMatchObject({
      code: 'DATABASE_ACQUIRE_TIMEOUT',
      hint: 'Before you raise pool.max, look for a session that waits for something slow.',
      facts: { waitedMs: acquireTimeoutMs, openingMs: 50 },
    });
  });

  test('waited most of its time for the server: the server does not answer', async () => {
    expect(await failureAfter(50)).toMatchObject({ code: 'ETIMEDOUT' });
  });

  test('waited for one that the server did not answer: the server does not answer it, either', async () => {
    const first = failure(acquire());
    await waits();
    await giveUpLent();
    await clock.advance(50);
    const second = failure(acquire());
    await waits();
    await clock.advance(acquireTimeoutMs - 50);
    expect(await first).toMatchObject({ code: 'ETIMEDOUT' });
    await clock.advance(50);
    expect(await second).toMatchObject({ code: 'ETIMEDOUT' });
  });

  describe('comes when connections open in 100 ms, and', () => {
    beforeEach(async () => {
      const opened = acquire();
      await giveUpLent();
      await clock.advance(100);
      await proxy.setMode('pass');
      lent = await opened;
      await proxy.setMode('blackhole');
    });

    const failureWithin = async (leftMs: number) => {
      const ended = failure(acquire(leftMs));
      await waits();
      await giveUpLent();
      await clock.advance(leftMs);
      return ended;
    };

    test('has less than twice that left: too little to say that the server is lost', async () => {
      expect(await failureWithin(199)).toMatchObject({
        code: 'DATABASE_ACQUIRE_TIMEOUT',
        hint: 'Too little time was left to open a connection. Look for what the caller waited for before.',
        facts: { waitedMs: 199, openingMs: 199 },
      });
    });

    test('has twice that left: the server does not answer', async () => {
      expect(await failureWithin(200)).toMatchObject({ code: 'ETIMEDOUT' });
    });
  });
});
