import type { DatabaseService } from '@keelson/database';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { eventually } from '@keelson/test-support/eventually';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const poolMax = 4;
/** Above `silenceMs`, so that silence counts. */
const policies = { default: { breaker: { consecutiveFailures: poolMax - 1, silenceMs: 300 } } };

describe('a server that says nothing', () => {
  let server: PostgresServer;
  let retry: OpossumRetryPolicy;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.dispose());
  const open = async (pool: NonNullable<PostgresqlServiceOptions['options']>['pool'] = {}) => {
    retry = new OpossumRetryPolicy({ options: { policies } });
    service = await connectPostgresqlService({ url: server.url, retry, options: { pool: { max: poolMax, ...pool } } });
    database = service.database;
  };
  beforeEach(() => open());
  afterEach(async () => {
    server.thaw();
    await service[Symbol.asyncDispose]();
    retry.stop();
  });

  const breaker = () => retry.describe().find(({ target }) => target === 'database')?.breaker;
  const all = (work: () => Promise<unknown>) => Promise.allSettled(Array.from({ length: poolMax }, work));
  const unit = () => database.session(em => em.execute('select 1'), { timeoutMs: 600 });
  const opened = async () => {
    await using session = await database.openSession({ timeoutMs: 600 });
    await session.em.execute('select 1');
  };

  for (const [what, work] of [
    ['units of work', unit],
    ['sessions of requests', opened],
  ] as const) {
    test(`opens the breaker for ${what} when their deadlines pass, and closes it when it speaks again`, async () => {
      await all(work);
      server.freeze();
      await all(work);
      expect(breaker()).toMatchObject({ state: 'open', lastCause: { code: 'RETRY_ATTEMPT_TIMEOUT' } });
      server.thaw();
      await eventually(async () => {
        await work();
        expect(breaker()?.state).toBe('closed');
      });
    });
  }

  test('opens the breaker although sessions that it had answered before are given up first', async () => {
    await all(unit);
    const begun = Promise.withResolvers<void>();
    const before = database.session(
      async em => {
        await em.execute('select 1');
        begun.resolve();
        await em.execute('select pg_sleep(61)');
      },
      { timeoutMs: 500 },
    );
    await begun.promise;
    server.freeze();
    await Promise.allSettled([before, ...Array.from({ length: poolMax - 1 }, unit)]);
    expect(breaker()).toMatchObject({ state: 'open', lastCause: { code: 'RETRY_ATTEMPT_TIMEOUT' } });
  });

  test('opens the breaker when it gives no connection in time, which is not called a busy pool', async () => {
    await service[Symbol.asyncDispose]();
    await open({ acquireTimeoutMs: 500, pingTimeoutMs: 200, pingAfterIdleMs: 0 });
    await all(unit);
    server.freeze();
    const [outcome] = await all(() => database.session(em => em.execute('select 1'), { retry: 'never' }));
    expect(outcome).toMatchObject({
      reason: { code: 'DATABASE_CONNECTION_LOST', facts: { systemCode: 'ETIMEDOUT' } },
    });
    expect(breaker()).toMatchObject({ state: 'open', lastCause: { code: 'DATABASE_CONNECTION_LOST' } });
  });

  test('is not meant when callers give up who only waited for a connection that others hold', async () => {
    const held = await Promise.all(Array.from({ length: poolMax }, () => database.openSession()));
    for (const session of held) await session.em.execute('select 1');
    const impatient = () => database.session(em => em.execute('select 1'), { signal: AbortSignal.timeout(400) });
    const outcomes = await all(impatient);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(poolMax).fill('rejected'));
    expect(breaker()?.state).toBe('closed');
    for (const session of held) await session.rollback();
  });

  test('is not meant when the work of sessions waits for something else', async () => {
    await all(() =>
      database.session(
        async (_em, session) => {
          await new Promise(resolve => session.signal.addEventListener('abort', resolve));
        },
        { timeoutMs: 600 },
      ),
    );
    expect(breaker()?.state).toBe('closed');
  });
});
