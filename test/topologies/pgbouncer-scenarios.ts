import type { DatabaseModel, DatabaseService } from '@keelson/database';
import { conformanceModel, databaseConformance } from '@keelson/database/testing';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { startPgbouncer } from '@keelson/test-support/pgbouncer';
import { connectPostgresqlService, createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startService } from '@keelson/test-support/service-process';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import pg from 'pg';
import { expect } from 'vitest';
import { outageScenarios } from './outage-scenarios.js';
import { pgbouncerOutages } from './pgbouncer-outages.js';
import type { Found, Scenario } from './topology.js';

type PoolMode = 'session' | 'transaction';

const needs = ['pgbouncer'];
const transactionMode = { topology: 'PgBouncer, transaction mode', needs };
const sessionMode = { topology: 'PgBouncer, session mode', needs };

/** The orders example as a process of its own, which is not said that there is a pooler. */
function placeOrders(poolMode: PoolMode) {
  return async (form: 'short' | 'long'): Promise<Found> => {
    const count = form === 'long' ? 1_000 : 60;
    await using database = await createTestDatabase();
    await using bouncer = await startPgbouncer({ to: database.url, poolMode, poolSize: 15 });
    const variables = { KEELSON_ENV: 'postgres', DATABASE_URL: bouncer.url() };
    await using service = await startService({ variables });
    await service.request('POST', '/products', { sku: 'mug', stock: count });
    const order = () => service.request('POST', '/orders', { sku: 'mug', quantity: 1 });
    const answers = await inLanes(20, count, order);
    const stored = answers.filter(({ status }) => status === 201).length;
    const { body } = await service.request('GET', '/products/mug');
    const left = Number(body.stock);
    const failed = count - stored;
    return { requests: count, failed, lost: Math.max(0, left - failed), doubled: Math.max(0, failed - left) };
  };
}

/** Two instances begin to migrate an empty database at the same moment. */
async function migrateAtOnce(form: 'short' | 'long'): Promise<Found> {
  const rounds = form === 'long' ? 20 : 4;
  let failed = 0;
  let doubled = 0;
  for (let round = 0; round < rounds; round++) {
    await using database = await createTestDatabase();
    await using bouncer = await startPgbouncer({ to: database.url });
    await using one = createPostgresqlService({ url: bouncer.url() });
    await using two = createPostgresqlService({ url: bouncer.url() });
    await Promise.all([one, two].map(each => each.database.connect()));
    const done = await Promise.allSettled([one, two].map(each => each.database.migrate()));
    failed += done.filter(({ status }) => status === 'rejected').length;
    const admin = new pg.Client(database.adminUrl);
    await admin.connect();
    const applied = await admin.query('select name from mikro_orm_migrations');
    const locks = await admin.query(`select from pg_locks where locktype = 'advisory' and database = (
      select oid from pg_database where datname = current_database())`);
    await admin.end();
    expect(locks.rowCount, 'locks left').toBe(0);
    doubled += (applied.rowCount ?? 0) - 1;
  }
  return { requests: 2 * rounds, failed, lost: 0, doubled, notes: `${rounds} rounds of 2 instances; no lock left` };
}

async function overTime(): Promise<Found> {
  await using database = await createTestDatabase();
  await using bouncer = await startPgbouncer({ to: database.url });
  await using service = await connectPostgresqlService({ url: bouncer.url(), options: { statementTimeoutMs: 1_000 } });
  const beganAt = performance.now();
  const slow = service.database.session(em => em.execute('select pg_sleep(20)'));
  await expect(slow).rejects.toMatchObject({ kind: 'statement-timeout' });
  const tookMs = Math.round(performance.now() - beganAt);
  expect(tookMs).toBeGreaterThanOrEqual(1_000);
  expect(tookMs).toBeLessThan(2_000);
  return { requests: 1, failed: 1, lost: 0, doubled: 0, notes: `ended by the server after ${tookMs} ms` };
}

/**
 * Sessions whose deadline comes at about the end of their statement, beside others that use the same few connections of the
 * server: no cancel request may reach one of these, also when it comes too late.
 */
async function cancelBeside(form: 'short' | 'long'): Promise<Found> {
  const rounds = form === 'long' ? 3 : 1;
  await using database = await createTestDatabase();
  await using bouncer = await startPgbouncer({ to: database.url, poolSize: 12 });
  await using proxy = await startTcpProxy({ to: bouncer.url() });
  await using impatient = createPostgresqlService({ url: proxy.url(), options: { pool: { max: 10 } } });
  await using patient = createPostgresqlService({ url: bouncer.url(), options: { pool: { max: 6 } } });
  await Promise.all([impatient, patient].map(each => each.database.connect()));
  // All connections are open: no session waits for one until its deadline.
  await inLanes(10, 10, () => impatient.database.session(em => em.execute('select pg_sleep(0.1)')));
  let ended = 0;
  let served = 0;
  let round = 0;
  // On a busy machine a round may be over before a statement has been sent.
  for (; round < rounds || (round < 10 && proxy.counters.cancelRequests < 50); round++) {
    let isOver = false;
    const innocents = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        await patient.database.session(em => em.execute('select pg_sleep(0.003)'), { retry: 'never' });
        served++;
      }
    });
    const one = async (index: number) => {
      const seconds = 0.035 + (index % 20) / 1_000;
      const work = impatient.database.session(em => em.execute('select pg_sleep(?)', [seconds]), {
        timeoutMs: 50,
        retry: 'never',
      });
      await work.catch(() => ended++);
    };
    await inLanes(10, 200, one);
    await atRest(impatient.database);
    isOver = true;
    await Promise.all(innocents);
  }
  const { cancelRequests } = proxy.counters;
  expect(cancelRequests, 'cancel requests').toBeGreaterThanOrEqual(50);
  const beside = `${served} sessions beside them, none of which was cancelled`;
  const notes = `${round} rounds; ${cancelRequests} cancel requests; ${beside}`;
  return { requests: 200 * round + served, failed: ended, lost: 0, doubled: 0, notes };
}

/** Every case of the suite that each database driver must pass, also those that break off half way. */
async function keepPromises(): Promise<Found> {
  await using database = await createTestDatabase();
  await using bouncer = await startPgbouncer({ to: database.url, poolSize: 20 });
  const open = (url: string, models: readonly DatabaseModel[]) =>
    createPostgresqlService({ url: bouncer.url(url), models });
  await using shared = open(database.url, [conformanceModel]);
  await shared.database.connect();
  await shared.database.migrate();
  await using further = new AsyncDisposableStack();
  const cases = databaseConformance(() => ({
    database: shared.database,
    async open({ count, models }) {
      const { url } = further.use(await createTestDatabase());
      return Array.from({ length: count }, () => open(url, models).database);
    },
  }));
  const outcomes: string[] = [];
  for (const { run } of cases) outcomes.push(await run());
  const kept = outcomes.filter(outcome => outcome === 'passed').length;
  expect(kept).toBeGreaterThan(200);
  const notes = `${kept} promises kept, ${cases.length - kept} not applicable`;
  return { requests: cases.length, failed: 0, lost: 0, doubled: 0, notes };
}

/** What belongs to a session, and is refused in transaction mode, works where the pooler is said to keep sessions apart. */
async function writeAndRead(): Promise<Found> {
  await using database = await createTestDatabase();
  await using bouncer = await startPgbouncer({ to: database.url, poolMode: 'session', poolSize: 15 });
  const options = { engine: { pooling: 'session' } } as const;
  await using service = await connectPostgresqlService({ url: bouncer.url(), options });
  await service.database.migrate();
  // The connection is not lent again, and the pooler resets what was set.
  await service.database.session(em => em.execute('set search_path = pg_catalog'));
  const emails = Array.from({ length: 100 }, (_, index) => `author-${index}@example.org`);
  await Promise.all(emails.map(email => service.database.session(em => em.insert(Author, { email }))));
  for (let count = 0; count < 20; count++) await service.database.read(em => em.count(Author));
  const stored = await service.database.read(em => em.count(Author));
  const [row] = await service.database.session(em =>
    em.execute<{ count: number }[]>('select count(*)::int as count from pg_prepared_statements'),
  );
  expect(row?.count, 'prepared statements').toBeGreaterThan(0);
  return { requests: 100, failed: 0, lost: Math.max(0, 100 - stored), doubled: Math.max(0, stored - 100) };
}

async function atRest(database: DatabaseService): Promise<void> {
  await eventually(() => expect(database.stats()).toMatchObject({ busy: 0, waiting: 0 }), { timeoutMs: 15_000 });
}

async function inLanes<T>(lanes: number, count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let begun = 0;
  const lane = async () => {
    while (begun < count) results.push(await work(begun++));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

export const pgbouncerScenarios: readonly Scenario[] = [
  { ...transactionMode, what: 'the orders example starts, migrates and takes orders', run: placeOrders('transaction') },
  { ...transactionMode, what: 'two instances migrate an empty database at once', run: migrateAtOnce },
  { ...transactionMode, what: 'pg_sleep(20) with statementTimeoutMs of 1 s', run: overTime },
  { ...transactionMode, what: 'rounds of 200 sessions with a deadline of 50 ms, beside others', run: cancelBeside },
  { ...transactionMode, what: 'the conformance suite of database drivers', isLong: true, run: keepPromises },
  ...outageScenarios(pgbouncerOutages, {
    ...transactionMode,
    short: ['restart of PgBouncer', 'kill -9 of PgBouncer', 'restart of the server behind it, fast'],
  }),
  {
    ...sessionMode,
    what: 'the orders example starts, migrates and takes orders',
    isLong: true,
    run: placeOrders('session'),
  },
  { ...sessionMode, what: 'sessions with `engine.pooling: session`', run: writeAndRead },
];
