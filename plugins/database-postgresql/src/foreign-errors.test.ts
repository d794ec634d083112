import { createServer } from 'node:net';
import { KeelsonError, systemClock } from '@keelson/core';
import type { DatabaseService, EntityManager } from '@keelson/database';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { freePort } from '@keelson/test-support/free-port';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let retry: OpossumRetryPolicy;
let service: TestService;
let database: DatabaseService;

beforeAll(async () => {
  retry = new OpossumRetryPolicy({ clock: systemClock });
  service = await startTestService({ retry });
  database = service.database;
});
afterAll(() => service[Symbol.asyncDispose]());

const failure = (facts: object, message = 'of somebody else') => Object.assign(new Error(message), facts);

/** As many as open any breaker. */
const many = 30;

/** What `work` fails with in a session that has asked its database first, and how often it ran. */
async function failingIn(session: DatabaseService, work: () => unknown): Promise<{ error: unknown; runs: number }> {
  let runs = 0;
  const run = session.session(async em => {
    runs += 1;
    await em.count(Author);
    await work();
  });
  return { error: await run.catch((error: unknown) => error), runs };
}

async function realRefusal(): Promise<unknown> {
  const client = new pg.Client({ host: '127.0.0.1', port: await freePort() });
  return client.connect().catch((error: unknown) => error);
}

/** Of a client that the service opened by itself, in the same database. */
async function otherClientsError(sql: string): Promise<unknown> {
  const client = new pg.Client(service.testDatabase.url);
  client.on('error', () => {});
  await client.connect();
  const error = await client.query(sql).catch((thrown: unknown) => thrown);
  await client.end().catch(() => {});
  return error;
}

async function realReset(): Promise<unknown> {
  const server = createServer(socket => socket.resetAndDestroy());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const error = await fetch(url).catch((thrown: unknown) => thrown);
  server.close();
  return error;
}

describe("an error of the work's own", () => {
  const foreign: readonly (readonly [string, () => unknown])[] = [
    ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ECONNABORTED', 'EPIPE', 'ENOTFOUND', 'EMFILE'].map(
      code => [`a socket error ${code}`, () => failure({ code, errno: -111, syscall: 'connect' })] as const,
    ),
    ...['57P01', '40001', '23505', '08006', 'HTTP2', 'A1234'].map(
      code => [`an error with the code ${code}`, () => failure({ code, severity: 'FATAL' })] as const,
    ),
    ['an AggregateError of refusals', () => new AggregateError([failure({ code: 'ECONNREFUSED' })])],
    ['an AbortError', () => new DOMException('aborted', 'AbortError')],
    ['a TimeoutError', () => new DOMException('over', 'TimeoutError')],
    ['an error in the words of pg', () => new Error('Connection terminated unexpectedly')],
    ['something that looks like ours', () => failure({ code: 'DATABASE_CONNECTION_LOST', http: { status: 503 } })],
    ['one of ours by another part', () => new KeelsonError({ code: 'DATABASE_CONNECT_FAILED', message: 'Mine.' })],
    [
      'the end of an attempt of another policy',
      () => new KeelsonError({ code: 'RETRY_ATTEMPT_TIMEOUT', message: 'X.' }),
    ],
    ['a real refusal', realRefusal],
    ['a real reset', realReset],
    ['a conflict of a client of its own', () => otherClientsError("do $$ begin raise sqlstate '40001'; end $$")],
    [
      'a lost connection of a client of its own',
      () => otherClientsError('select pg_terminate_backend(pg_backend_pid())'),
    ],
  ];

  test.each(foreign)('stays as it is and costs one attempt, however often it comes: %s', async (_name, make) => {
    const logged = service.logger.lines().length;
    for (let time = 0; time < many; time++) {
      const thrown = await make();
      const { error, runs } = await failingIn(database, () => {
        throw thrown;
      });
      expect(error).toBe(thrown);
      expect(runs).toBe(1);
    }
    await expect(
      database.read(em => em.count(Author)),
      'other calls succeed',
    ).resolves.toBe(0);
    expect(database.state.is).toBe('connected');
    expect(
      service.logger
        .lines()
        .slice(logged)
        .filter(({ level }) => level === 'warn' || level === 'error'),
    ).toEqual([]);
  });

  test('stays as it is in a session inside another, in a batch, and before anything was asked', async () => {
    const thrown = failure({ code: 'ECONNRESET' });
    const fail = () => Promise.reject(thrown);
    await expect(database.session(() => database.session(fail))).rejects.toBe(thrown);
    await expect(database.session(() => database.transaction(fail))).rejects.toBe(thrown);
    await expect(database.batch([1], fail)).rejects.toBe(thrown);
    await expect(database.session(fail)).rejects.toBe(thrown);
    const duplicate = failure({ code: '23505' });
    await expect(database.batch([1, 2], () => Promise.reject(duplicate))).rejects.toBe(duplicate);
  });

  test('keeps its form when a session that its owner opened fails with it', async () => {
    const thrown = failure({ code: 'ECONNREFUSED' });
    await using session = await database.openSession();
    await expect(session.em.transactional(() => Promise.reject(thrown))).rejects.toBe(thrown);
  });
});

describe('another database of the service', () => {
  let proxy: TcpProxy;
  let other: PostgresqlService;

  beforeAll(async () => {
    proxy = await startTcpProxy({ to: service.testDatabase.url });
    other = await connectPostgresqlService({ url: proxy.url(), retry: new OpossumRetryPolicy({ clock: systemClock }) });
  });
  afterAll(async () => {
    await other?.[Symbol.asyncDispose]();
    await proxy?.dispose();
  });

  test('that refuses or is lost is not taken for the database of the session around it', async () => {
    const conflict = () =>
      other.database.session(em => em.execute("do $$ begin raise sqlstate '40001'; end $$"), { retry: 'never' });
    const lost = () =>
      other.database.session(em => em.execute('select pg_terminate_backend(pg_backend_pid())'), { retry: 'never' });
    for (let time = 0; time < 10; time++) {
      expect(await failingIn(database, conflict)).toMatchObject({ runs: 1, error: { code: 'DATABASE_QUERY_FAILED' } });
      expect(await failingIn(database, lost)).toMatchObject({ runs: 1, error: { code: 'DATABASE_CONNECTION_LOST' } });
    }
    await expect(database.read(em => em.count(Author))).resolves.toBe(0);
  });

  test('is distinguished even in the raw error that its EntityManager throws', async () => {
    let raw: unknown;
    const keep = async (em: EntityManager) => {
      raw = await em.execute("do $$ begin raise sqlstate '40001'; end $$").catch((thrown: unknown) => thrown);
    };
    const keeping = other.database.session(keep, { retry: 'never' });
    await expect(keeping).rejects.toMatchObject({ code: 'DATABASE_TRANSACTION_FAILED' });
    const throwing = failingIn(database, () => Promise.reject(raw));
    expect(await throwing).toMatchObject({ runs: 1, error: { code: 'DATABASE_QUERY_FAILED' } });
  });
});

test("an error of the session's own database is known however MikroORM wraps it", async () => {
  await database.session(async em => void em.create(Author, { email: 'twice@example.org' }));
  const twice = database.session(async em => void em.create(Author, { email: 'twice@example.org' }));
  await expect(twice).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', kind: 'unique' });
  let runs = 0;
  await database.session(async em => {
    runs += 1;
    if (runs === 1) await em.execute("do $$ begin raise sqlstate '40001'; end $$");
  });
  expect(runs, 'a conflict is repeated').toBe(2);
});
