import { silentMetrics, systemClock } from '@keelson/core';
import { RecordingMetrics } from '@keelson/core/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import {
  connectPostgresqlService,
  type createPostgresqlService,
  type PostgresqlService,
} from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { migrateDatabase } from '@keelson/test-support/test-service';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

let testDatabase: TestDatabase;
let metrics: RecordingMetrics;
let service: PostgresqlService;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  await migrateDatabase(testDatabase.url);
});
afterAll(() => testDatabase[Symbol.asyncDispose]());

beforeEach(async () => {
  metrics = new RecordingMetrics();
  service = await connected({ pool: { max: 2, acquireTimeoutMs: 300, pingTimeoutMs: 300, leakAfterMs: 50 } });
});
afterEach(() => service[Symbol.asyncDispose]());

async function connected(options: NonNullable<Parameters<typeof createPostgresqlService>[0]['options']>) {
  const made = await connectPostgresqlService({ url: testDatabase.url, metrics, options });
  return made;
}

const pool = { 'db.client.connection.pool.name': 'database' };
const ended = (operation: string) =>
  metrics
    .series('db.client.operation.duration')
    .filter(({ labels }) => labels?.['db.operation.name'] === operation)
    .map(({ labels }) => [labels?.['keelson.session.outcome'], labels?.['error.type']]);
const counted = (name: string, labels = {}) => metrics.value(`db.client.${name}`, { ...pool, ...labels });

test('a session is measured by its name and how it ended, run or opened by hand', async () => {
  const { database } = service;
  await database.session(async em => em.count(Author), { name: 'run' });
  const failed = database.session(() => Promise.reject(new Error('of the work')), { name: 'run' });
  await expect(failed).rejects.toThrow('of the work');
  const refused = database.session(em => em.execute('select * from nowhere'), { name: 'run' });
  await expect(refused).rejects.toThrow();
  await database.read(em => em.count(Author));
  for (const end of ['commit', 'rollback'] as const) {
    await using session = await database.openSession({ name: 'opened' });
    await session.em.count(Author);
    await session[end]();
  }
  const late = await database.sessionOnDemand({ name: 'late' });
  late.close();
  const used = await database.sessionOnDemand({ name: 'used' });
  await used.open().em.count(Author);
  await used.open().commit();
  used.close();

  expect(ended('run')).toEqual([
    ['committed', undefined],
    ['rolled_back', 'other'],
    ['rolled_back', 'DATABASE_QUERY_FAILED'],
  ]);
  expect(ended('read')).toEqual([['committed', undefined]]);
  expect(ended('opened')).toEqual([
    ['committed', undefined],
    ['rolled_back', undefined],
  ]);
  expect(ended('late')).toEqual([]);
  expect(ended('used')).toEqual([['committed', undefined]]);
  // The failed work has sent nothing.
  expect(counted('transactions', { 'keelson.session.outcome': 'committed' })).toBe(4);
  expect(counted('transactions', { 'keelson.session.outcome': 'rolled_back' })).toBe(2);
});

test('the pool is measured: connections by state, waits, uses, openings, timeouts and leaks', async () => {
  const { database } = service;
  await using first = await database.openSession();
  await using second = await database.openSession();
  await first.em.count(Author);
  await second.em.count(Author);
  expect(counted('connection.count', { 'db.client.connection.state': 'used' })).toBe(2);
  const third = database.session(em => em.count(Author), { retry: 'never' });
  await eventually(() => expect(counted('connection.pending_requests')).toBe(1));
  await expect(third).rejects.toMatchObject({ code: 'DATABASE_ACQUIRE_TIMEOUT' });
  await eventually(() => expect(counted('connection.leaks')).toBe(2));
  await first.commit();
  await second.commit();

  expect(counted('connection.max')).toBe(2);
  expect(counted('connection.timeouts')).toBe(1);
  expect(counted('connection.opened')).toBe(2);
  expect(metrics.recorded('db.client.connection.create_time', pool)).toHaveLength(2);
  expect(metrics.recorded('db.client.connection.wait_time', pool)).toHaveLength(2);
  const uses = metrics.recorded('db.client.connection.use_time', pool);
  expect(uses).toHaveLength(2);
  expect(Math.min(...uses)).toBeGreaterThan(0.2);
  expect(counted('state', { state: 'connected' })).toBe(1);
  expect(counted('state', { state: 'error' })).toBe(0);
});

test('after a restart the connections that are thrown away are counted by reason, and the retry is', async () => {
  await using proxy = await startTcpProxy({ to: testDatabase.url });
  await using behind = await connectPostgresqlService({ url: proxy.url(), metrics });
  await behind.database.session(em => em.count(Author));
  proxy.cut();
  await behind.database.session(em => em.count(Author), { name: 'again' });
  const discarded = metrics.series('db.client.connection.discards').map(({ labels }) => labels?.reason);
  expect(discarded.length).toBeGreaterThan(0);
});

test('a commit that is not answered is counted with what became of it', async () => {
  await using proxy = await startTcpProxy({ to: testDatabase.url });
  await using behind = await connectPostgresqlService({ url: proxy.url(), metrics });
  const cut = proxy.onceAtCommit('after');
  await behind.database.session(async em => void em.create(Author, { email: 'in-doubt@example.org' }), {
    name: 'doubt',
  });
  await cut;
  expect(ended('doubt')).toEqual([['committed', undefined]]);
  expect(counted('commit.resolutions', { 'keelson.commit.outcome': 'committed' })).toBe(1);
});

test('where nothing is measured, no clock is read for it and nothing is registered', async () => {
  let reads = 0;
  const clock = {
    ...systemClock,
    now() {
      reads += 1;
      return performance.now();
    },
  };
  const readsOf = async (given: object) => {
    await using one = await connectPostgresqlService({ url: testDatabase.url, clock, ...given });
    for (let time = 0; time < 3; time += 1) await one.database.read(em => em.count(Author));
    reads = 0;
    await one.database.read(em => em.count(Author));
    return reads;
  };
  const without = await readsOf({});
  expect(await readsOf({ metrics: silentMetrics })).toBe(without);
  expect(await readsOf({ metrics })).toBeGreaterThan(without);
});
