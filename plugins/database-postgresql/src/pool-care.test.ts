import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from '@keelson/test-support/postgresql-service';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

describe('the care of a pool for its connections', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
  });
  afterAll(() => testDatabase[Symbol.asyncDispose]());
  afterEach(() => service[Symbol.asyncDispose]());

  const open = async (pool: NonNullable<PostgresqlServiceOptions['options']>['pool']): Promise<DatabaseService> => {
    service = await connectPostgresqlService({ url: testDatabase.url, options: { pool }, models: [] });
    return service.database;
  };

  const backend = async (em: EntityManager): Promise<number> => {
    const [row] = await em.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
    return row?.pid ?? 0;
  };

  test('min: so many idle connections are opened at the start, and again when some are gone', async () => {
    const database = await open({ min: 2 });
    await eventually(() => database.stats().idle === 2);
    database.renewConnections();
    await eventually(() => database.stats().counters.opened === 4);
    await eventually(() => database.stats().idle === 2);
  });

  test('maxLifetimeMs: one that is too old is replaced when it is asked for, without an error', async () => {
    const database = await open({ maxLifetimeMs: 100 });
    const first = await database.session(backend);
    const openedAt = performance.now();
    await eventually(() => performance.now() - openedAt > 100);
    expect(await database.session(backend)).not.toBe(first);
    expect(database.stats().counters.discarded.expired).toBe(1);
  });

  test('maxLifetimeMs: one that became too old while it was lent is not lent again', async () => {
    const database = await open({ maxLifetimeMs: 100 });
    await database.session(async em => {
      await backend(em);
      const openedAt = performance.now();
      await eventually(() => performance.now() - openedAt > 100);
    });
    expect(database.stats()).toMatchObject({ total: 0, counters: { discarded: { expired: 1 } } });
  });

  test('idleTimeoutMs: an unused connection is closed', async () => {
    const database = await open({ idleTimeoutMs: 50 });
    await database.session(backend);
    await eventually(() => database.stats().total === 0);
  });

  const leak = async (database: DatabaseService) => {
    const reports = () => service.logger.findAll('a connection is lent for very long');
    const before = reports().length;
    await database.session(async em => {
      await backend(em);
      await eventually(() => reports().length > before);
    });
    return reports().at(-1);
  };

  test('traceLoans: after the first leak each loan is traced', async () => {
    // Long enough that the first loan, which opens the connection, is no leak itself.
    const database = await open({ leakAfterMs: 1_000 });
    await database.session(backend);
    expect(await leak(database)).toMatchObject({ facts: { borrowedAt: 'not traced; later loans are' } });
    expect(await leak(database)).toMatchObject({ facts: { borrowedAt: expect.stringContaining('pool-care.test') } });
  });

  test('leakAfterMs: one lent for too long is logged, with the place that borrowed it, and again when it is back', async () => {
    const database = await open({ leakAfterMs: 20, traceLoans: 'all' });
    await database.session(backend);
    expect(await leak(database)).toMatchObject({
      level: 'warn',
      facts: { borrowedAt: expect.stringContaining('pool-care.test') },
    });
    expect(service.logger.find('a connection that was lent for very long is back')).toMatchObject({ level: 'info' });
  });
});
