import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { definePlugin, HttpServer, KeelsonError, type Kernel, Logger, Telemetry } from '@keelson/core';
import { RecordingLogger, RecordingTelemetry } from '@keelson/core/testing';
import { DatabaseModel, DatabaseService, type EntityManager } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import { HttpRoutes, route, rowsOf } from '@keelson/http';
import http, { currentSession, sendRows } from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { filling } from '@keelson/test-support/filling';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import { type Request, type Response, Router } from 'express';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';

let testDatabase: TestDatabase;
let witness: pg.Client;
let kernel: Kernel;
let telemetry: RecordingTelemetry;
let logger: RecordingLogger;

type Handler = (request: Request, response: Response) => unknown;
let handler: Handler;

const numbers = (em: EntityManager, sql: string) =>
  em.getConnection().stream<{ id: number; text: string }>(sql, [], em.getTransactionContext(), undefined, 1_000);
const generated = (count: number, width = 40) =>
  `select n as id, repeat('x', ${width}) as text from generate_series(1, ${count}) n`;
const million = generated(1_000_000);

const author = z.object({ id: z.int(), email: z.string(), name: z.string().nullable() });
const exportAuthors = route({
  method: 'get',
  path: '/',
  query: z.object({ format: z.enum(['ndjson', 'csv']), wrong: z.stringbool().default(false) }),
  answers: { 200: { description: 'All authors.', rows: author } },
  handle: ({ query: { format, wrong } }) => {
    const rows = async function* (em: EntityManager) {
      for await (const { id, email, name } of em.stream(Author, { orderBy: { id: 'asc' } }))
        yield { id: wrong ? Number.NaN : id, email, name: name ?? null };
    };
    return { body: rowsOf(rows, { format, fileName: `authors.${format}` }) };
  },
});
const failing = route({
  method: 'get',
  path: '/failing',
  answers: { 200: { rows: author } },
  mapError: () => new KeelsonError({ code: 'TEST_MAPPED', message: 'mapped', http: { status: 410, title: 'Gone' } }),
  handle: () => ({
    body: rowsOf(
      // biome-ignore lint/correctness/useYield: it fails before its first row.
      function* () {
        throw new Error('of the rows');
      },
      { format: 'csv' },
    ),
  }),
});
const repeated = route({
  method: 'post',
  path: '/',
  repeatable: true,
  answers: { 200: { rows: author } },
  handle: () => ({ body: rowsOf([], { format: 'csv' }) }),
});

async function start(options: object = {}): Promise<void> {
  telemetry = new RecordingTelemetry();
  logger = new RecordingLogger();
  const rows = definePlugin({
    name: 'rows',
    requires: [HttpServer, HttpRoutes, DatabaseService],
    register: ({ bind }) => void bind(DatabaseModel).toConstantValue(sampleModel),
    start: ({ container }) => {
      container.get(HttpServer).router(
        '/rows',
        Router().all('/', (request, response) => handler(request, response)),
      );
      container.get(HttpServer).session(request => ({
        session: { variables: { 'app.tenant': String(request.headers['x-tenant'] ?? 'none') } },
      }));
      container.get(HttpRoutes).mount('/authors', [exportAuthors, failing, repeated]);
    },
  });
  kernel = await startKernel({
    plugins: {
      http,
      retry,
      rows,
      telemetry: filling('telemetry', Telemetry, telemetry),
      logger: filling('logger', Logger, logger),
      database: postgresql,
    },
    values: {
      http: { deadline: {}, checkAnswers: 'always', ...options },
      database: { url: testDatabase.url, pool: { max: 2 }, migrations: { atStart: true } },
    },
  });
}

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  witness = new pg.Client({ connectionString: testDatabase.adminUrl });
  await witness.connect();
  await start();
  await witness.query(`insert into author (email, name)
    select n || '@example.org', case when n % 2 = 0 then 'Ada, "' || n || '"' end from generate_series(1, 1000) n`);
});

beforeEach(() => telemetry.clear());

afterAll(async () => {
  await kernel.stop();
  await witness.end();
  await testDatabase[Symbol.asyncDispose]();
});

const database = () => kernel.container.get(DatabaseService);
const address = () => kernel.container.get(HttpServer).url ?? '';

/** All connections are free, and the server runs nothing for them. */
async function isFree(): Promise<void> {
  await eventually(() => expect(database().stats().busy).toBe(0), { that: 'all connections to be free' });
  const running = await witness.query(
    `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
     and backend_type = 'client backend' and application_name not like '% control'`,
  );
  expect(running.rowCount).toBe(0);
}

/** An answer whose body the test reads itself. */
function ask(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(`${address()}${path}`, { headers, agent: false }, resolve).on('error', reject);
  });
}

describe('a million rows', () => {
  test.each([
    ['csv', 1_000_000],
    ['ndjson', 300_000],
  ] as const)(
    'as %s arrive whole, in flat memory (%d)',
    async (format, count) => {
      handler = (_request, response) => sendRows(response, em => numbers(em, generated(count)), { format });
      const answer = await ask('/rows');
      const before = process.memoryUsage();
      let most = { rss: 0, heapUsed: 0 };
      let lines = 0;
      let bytes = 0;
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
        const { rss, heapUsed } = process.memoryUsage();
        most = { rss: Math.max(most.rss, rss), heapUsed: Math.max(most.heapUsed, heapUsed) };
      }
      expect([answer.statusCode, lines]).toEqual([200, format === 'csv' ? count + 1 : count]);
      expect(bytes).toBeGreaterThan(45 * count);
      expect(most.heapUsed - before.heapUsed).toBeLessThan(60_000_000);
      expect(most.rss - before.rss).toBeLessThan(150_000_000);
      await isFree();
    },
    120_000,
  );

  test('are read no faster than the client takes them, and its going away frees the connection at once', async () => {
    let read = 0;
    handler = (_request, response) =>
      sendRows(
        response,
        async function* (em) {
          for await (const row of numbers(em, million)) {
            read += 1;
            yield row;
          }
        },
        { format: 'ndjson' },
      );
    const answer = await ask('/rows');
    onTestFinished(() => void answer.destroy());
    await once(answer, 'readable');
    let seen = -1;
    await eventually(
      () => {
        const before = seen;
        seen = read;
        return before === read;
      },
      { intervalMs: 200, that: 'reading to stand still' },
    );
    expect(read).toBeLessThan(500_000);
    expect(database().stats().busy).toBe(1);
    const { rows } = await witness.query(
      `select backend_xmin is not null as held from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
    );
    expect(rows, 'a snapshot').toEqual([{ held: true }]);
    answer.destroy();
    await isFree();
    expect(telemetry.errors()).toEqual([]);
  });
});

test('a client that leaves while the server works for it ends the statement there', async () => {
  handler = (_request, response) => sendRows(response, em => numbers(em, 'select pg_sleep(30)'), { format: 'csv' });
  const request = get(`${address()}/rows`, { agent: false }).on('error', () => {});
  await eventually(() => database().stats().busy === 1, { that: 'the statement to run' });
  request.destroy();
  await isFree();
});

test('an error in the middle cuts the answer, and is logged and reported', async () => {
  handler = (_request, response) =>
    sendRows(response, em => numbers(em, 'select 1 / (50000 - n) as id from generate_series(1, 100000) n'), {
      format: 'csv',
    });
  const answer = await fetch(`${address()}/rows`);
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
  await isFree();
  expect(telemetry.errors()).toHaveLength(1);
  expect(logger.find('handler failed after its answer started')).toMatchObject({ level: 'error' });
});

test('an error before the first piece is sent is a problem document', async () => {
  handler = (_request, response) =>
    sendRows(response, em => numbers(em, 'select 1 / (100 - n) as id from generate_series(1, 1000) n'), {
      format: 'csv',
      fileName: 'a.csv',
    });
  const answer = await fetch(`${address()}/rows`);
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('content-disposition')]).toEqual([
    422,
    'application/problem+json',
    null,
  ]);
  await isFree();
});

test('all statements of one answer see one snapshot, for the tenant of the request', async () => {
  handler = (_request, response) =>
    sendRows(
      response,
      async function* (em) {
        const count = `select count(*)::int as id, current_setting('app.tenant') as text from author`;
        yield* numbers(em, count);
        await witness.query(`insert into author (email) values ('later@example.org')`);
        yield* numbers(em, count);
        await witness.query(`delete from author where email = 'later@example.org'`);
      },
      { format: 'ndjson' },
    );
  const answer = await fetch(`${address()}/rows`, { headers: { 'X-Tenant': 'acme' } });
  expect(await answer.text()).toBe('{"id":1000,"text":"acme"}\n'.repeat(2));
});

test('what it reads it cannot write: the session is read-only, also of a POST', async () => {
  handler = (_request, response) =>
    sendRows(response, em => numbers(em, `delete from author returning id`), { format: 'csv' });
  expect((await fetch(`${address()}/rows`, { method: 'POST' })).status).toBeGreaterThanOrEqual(400);
  await isFree();
});

test('rows of the session of the request are sent as well, and after a write that is stored', async () => {
  handler = (request, response) =>
    sendRows(response, currentSession(request).stream(Author, { orderBy: { id: 'asc' } }), { format: 'csv' });
  const lines = (await (await fetch(`${address()}/rows`)).text()).split('\r\n');
  expect([lines.length, lines[0], lines[2]]).toEqual([1_002, 'id,email,name', '2,2@example.org,"Ada, ""2"""']);
  handler = async (request, response) => {
    await currentSession(request).insert(Author, { email: 'new@example.org' });
    await sendRows(response, em => numbers(em, generated(10_000)), { format: 'ndjson' });
  };
  const answer = await fetch(`${address()}/rows`, { method: 'POST' });
  expect((await answer.text()).split('\n')).toHaveLength(10_001);
  const deleted = await witness.query(`delete from author where email = 'new@example.org'`);
  expect(deleted.rowCount).toBe(1);
  await isFree();
});

test('a commit that fails before the first row is the answer, and no more than that', async () => {
  await witness.query(`create table visit (author integer references author (id) deferrable initially deferred);
    grant all on visit to public`);
  onTestFinished(async () => void (await witness.query('drop table visit')));
  handler = async (request, response) => {
    await currentSession(request).execute('insert into visit values (-1)');
    await sendRows(response, em => numbers(em, generated(100_000)), { format: 'ndjson' });
  };
  const errors = logger.lines('error').length;
  const answer = await fetch(`${address()}/rows`, { method: 'POST' });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([409, 'application/problem+json']);
  await isFree();
  expect(telemetry.errors()).toEqual([]);
  expect(logger.lines('error')).toHaveLength(errors);
});

test.each([
  ['of its own', {}, { timeoutMs: 2_000 }],
  ['of the request', { 'Request-Timeout': '2' }, {}],
])('the time %s ends it, also in the middle', async (_whose, headers, options) => {
  const slow = `select n as id, repeat('x', 9000) as text, case when n = 2000 then pg_sleep(30) end from generate_series(1, 2000) n`;
  handler = (_request, response) => sendRows(response, em => numbers(em, slow), { format: 'ndjson', ...options });
  const answer = await fetch(`${address()}/rows`, { headers: headers as Record<string, string> });
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
  await isFree();
});

test('HEAD reads nothing', async () => {
  let read = 0;
  handler = (_request, response) =>
    sendRows(
      response,
      () => {
        read += 1;
        return [];
      },
      { format: 'csv' },
    );
  const answer = await fetch(`${address()}/rows`, { method: 'HEAD' });
  expect([answer.status, answer.headers.get('content-type'), read]).toEqual([
    200,
    'text/csv; charset=utf-8; header=present',
    0,
  ]);
});

describe('a route', () => {
  test('answers with rows in both formats, which its schema describes', async () => {
    const csv = await fetch(`${address()}/authors?format=csv`);
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="authors.csv"');
    expect((await csv.text()).split('\r\n')[2]).toBe('2,2@example.org,"Ada, ""2"""');
    const lines = (await (await fetch(`${address()}/authors?format=ndjson`)).text()).trim().split('\n');
    expect(lines.map(line => JSON.parse(line).id)).toEqual(Array.from({ length: 1_000 }, (_, at) => at + 1));
    await isFree();
  });

  test('with rows that its schema does not describe is a 500: HTTP_ANSWER_INVALID', async () => {
    expect((await fetch(`${address()}/authors?format=csv&wrong=true`)).status).toBe(500);
    expect(telemetry.errors()).toMatchObject([{ error: { code: 'HTTP_ANSWER_INVALID' } }]);
    await isFree();
  });

  test('replaces the error of its rows, as it does that of its handler', async () => {
    const answer = await fetch(`${address()}/authors/failing`);
    expect(answer.status).toBe(410);
    expect(await answer.json()).toMatchObject({ type: 'urn:keelson:problem:TEST_MAPPED' });
  });

  test('that may run again cannot answer with rows', async () => {
    expect((await fetch(`${address()}/authors`, { method: 'POST' })).status).toBe(500);
    expect(telemetry.errors()).toMatchObject([{ error: { message: expect.stringContaining('repeatable') } }]);
  });

  test('is in the API description with both types', async () => {
    const document = (await (await fetch(`${address()}/openapi.json`)).json()) as {
      paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
    };
    expect(Object.keys(document.paths['/authors']?.get.responses['200']?.content ?? {})).toEqual([
      'application/x-ndjson',
      'text/csv',
    ]);
  });
});

describe('a slow reader', () => {
  test('that takes nothing is cut after stalledTimeoutMs, and one that reads is not', async () => {
    await kernel.stop();
    await start({ stalledTimeoutMs: 1_500 });
    handler = (_request, response) =>
      sendRows(response, em => numbers(em, generated(50_000, 800)), { format: 'ndjson' });
    const stalled = await ask('/rows');
    stalled.on('error', () => {});
    const closed = new Promise(resolve => stalled.socket.once('close', resolve));
    const reading = await ask('/rows');
    let bytes = 0;
    for await (const chunk of reading as AsyncIterable<Buffer>) bytes += chunk.length;
    expect(bytes).toBeGreaterThan(40_000_000);
    await isFree();
    stalled.resume();
    await closed;
    expect(stalled.complete).toBe(false);
  });

  test('gets the rest while the service stops', async () => {
    handler = (_request, response) => sendRows(response, em => numbers(em, generated(50_000, 800)), { format: 'csv' });
    const answer = await ask('/rows');
    const stopped = kernel.stop();
    let lines = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>)
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
    expect(lines).toBe(50_001);
    expect((await stopped).outcome).toBe('clean');
  });
});
