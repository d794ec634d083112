import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HttpServer, type Kernel, Telemetry } from '@keelson/core';
import { RecordingTelemetry } from '@keelson/core/testing';
import { DatabaseService, type EntityManager } from '@keelson/database';
import pglite from '@keelson/database-pglite';
import postgresql from '@keelson/database-postgresql';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { eventually } from '@keelson/test-support/eventually';
import { filling } from '@keelson/test-support/filling';
import { Author } from '@keelson/test-support/sample-model';
import type { Request, Response } from 'express';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startAuthorService, urlOf } from './author-services.fixture.js';
import { connectTo, problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { sendRows } from './send-rows.js';
import { Router } from './server-under-test.fixture.js';

const rows = 2_000;
const drivers = { postgresql, pglite };

let postgres: TestDatabase;
let folder: string;
let kernel: Kernel;
let telemetry: RecordingTelemetry;

beforeAll(async () => {
  postgres = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'keelson-streaming-'));
  await copyEmptyPglite(join(folder, 'data'));
}, 120_000);

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

type Handler = (request: Request, response: Response, database: DatabaseService) => Promise<unknown>;
let handler: Handler;

/** A service whose handler at `/authors` is the one of the test, with as many authors as there are `rows`. */
async function start(driver: 'postgresql' | 'pglite'): Promise<void> {
  telemetry = new RecordingTelemetry();
  const connection =
    driver === 'postgresql' ? { url: postgres.url, pool: { max: 2 } } : { dataDir: join(folder, 'data') };
  kernel = await startAuthorService(
    ({ container }) => {
      const database = container.get(DatabaseService);
      const routes = Router().all('/', (request, response) => handler(request, response, database));
      container.get(HttpServer).router('/authors', routes);
    },
    {
      plugins: { telemetry: filling('telemetry', Telemetry, telemetry), database: drivers[driver] },
      values: { database: connection },
    },
  );
  const fill = `insert into author (id, email) select n, n || '@example.org' from generate_series(1, ${rows}) n`;
  await database().session(async em => {
    await em.execute('delete from author');
    await em.execute(fill);
  });
}

const database = () => kernel.container.get(DatabaseService);
const url = () => `${urlOf(kernel)}/authors`;

async function* linesOf(em: EntityManager, asked?: () => void) {
  for await (const author of em.stream(Author, {})) {
    asked?.();
    yield `${author.email}\n`;
  }
}

const stream = (em: EntityManager, response: Response) => pipeline(Readable.from(linesOf(em)), response);

async function countOf(answer: globalThis.Response): Promise<number> {
  return (await answer.text()).split('\n').length - 1;
}

/** Every connection has come back. */
function untilFree(): Promise<unknown> {
  return eventually(() => database().stats().busy === 0, { that: 'all connections to be free' });
}

describe.each(['postgresql', 'pglite'] as const)('rows streamed in a request, on %s', driver => {
  beforeAll(() => start(driver), 180_000);
  beforeEach(() => telemetry.clear());
  afterAll(() => kernel.stop());

  test.each(['GET', 'POST'])('by database.read all arrive: %s', async method => {
    handler = (_request, response, given) => given.read(em => stream(em, response));
    const answer = await fetch(url(), { method });
    expect([answer.status, await countOf(answer)]).toEqual([200, rows]);
    await untilFree();
  });

  test('by sendRows all arrive, from the session of the request and from one of its own', async () => {
    handler = (_request, response) => sendRows(response, em => em.stream(Author, {}), { format: 'ndjson' });
    expect(await countOf(await fetch(url()))).toBe(rows);
    handler = (request, response) =>
      sendRows(response, currentSession(request).stream(Author, {}), { format: 'ndjson' });
    expect(await countOf(await fetch(url()))).toBe(rows);
    await untilFree();
  });

  test('by writes that ignore back-pressure all arrive', async () => {
    handler = (_request, response, given) =>
      given.read(async em => {
        for await (const line of linesOf(em)) response.write(line);
        response.end();
      });
    expect(await countOf(await fetch(url()))).toBe(rows);
    await untilFree();
  });

  test('by statements one after the other, with writes in between, all arrive', async () => {
    handler = (_request, response, given) =>
      given.read(async em => {
        for (let from = 0; from < rows; from += 500) {
          const page = await em.find(Author, {}, { orderBy: { id: 'asc' }, limit: 500, offset: from });
          for (const { email } of page) response.write(`${email}\n`);
        }
        response.end();
      });
    expect(await countOf(await fetch(url()))).toBe(rows);
  });

  test('after the session of the request was used, and from that session itself', async () => {
    handler = async (request, response, given) => {
      await currentSession(request).count(Author);
      await given.read(em => stream(em, response));
    };
    expect(await countOf(await fetch(url()))).toBe(rows);
    handler = (request, response) => stream(currentSession(request), response);
    expect(await countOf(await fetch(url()))).toBe(rows);
    await untilFree();
  });

  test('are cut when reading them fails half-way, and what failed is reported', async () => {
    handler = (_request, response, given) =>
      given.read(async em => {
        for await (const line of linesOf(em)) {
          if (line.startsWith('1000@')) throw new Error('half-way');
          response.write(line);
        }
      });
    const answer = await fetch(url());
    await expect(answer.text()).rejects.toThrow();
    expect(telemetry.errors()).toMatchObject([{ error: { message: 'half-way' } }]);
    await untilFree();
  });

  test('are refused while the request has more to store, with a hint that works: HTTP_ANSWER_WITHIN_SESSION', async () => {
    handler = async (request, response) => {
      const em = currentSession(request);
      await em.execute(`insert into author (id, email) values (0, 'zero@example.org')`);
      await stream(em, response);
    };
    const problem = await problemFrom(await fetch(url(), { method: 'POST' }));
    expect([problem.status, problem.body.type]).toEqual([500, 'urn:keelson:problem:HTTP_UNEXPECTED']);
    expect(telemetry.errors()).toMatchObject([
      { error: { code: 'HTTP_ANSWER_WITHIN_SESSION', hint: expect.stringContaining("{ nested: 'separate' }") } },
    ]);
    expect(await database().read(em => em.count(Author)), 'nothing of it is stored').toBe(rows);
    await untilFree();
  });
});

describe('rows streamed in a request', () => {
  beforeEach(() => start('postgresql'));
  afterEach(() => kernel.stop());

  test('in a session of its own, after the request has written, are sent when the write is stored', async () => {
    handler = async (request, response, given) => {
      currentSession(request).create(Author, { id: 0, email: 'zero@example.org' });
      await given.read(em => stream(em, response), { nested: 'separate' });
    };
    expect(await countOf(await fetch(url(), { method: 'POST' }))).toBe(rows);
    expect(await database().read(em => em.count(Author))).toBe(rows + 1);
  });

  test('are read no faster than the client reads them, and its going away frees the connection', async () => {
    await database().session(em =>
      em.execute(`update author set email = id || repeat('x', 10000) where id <= ${rows}`),
    );
    let asked = 0;
    let failed: unknown;
    handler = (_request, response, given) =>
      given
        .read(em => pipeline(Readable.from(linesOf(em, () => asked++)), response))
        .catch((error: unknown) => {
          failed = error;
        });
    const connection = await connectTo(Number(new URL(url()).port));
    onTestFinished(() => void connection.socket.destroy());
    connection.send('GET /authors HTTP/1.1\r\nHost: test\r\n\r\n');
    await connection.until(({ received }) => received.includes('\r\n\r\n'));
    connection.socket.pause();
    let seen = -1;
    await eventually(
      () => {
        const before = seen;
        seen = asked;
        return before === asked;
      },
      { intervalMs: 200, that: 'reading to stand still' },
    );
    expect(asked).toBeLessThan(rows);
    expect(database().stats().busy).toBe(1);
    connection.socket.destroy();
    await untilFree();
    await eventually(() => expect(failed).toBeDefined());
    expect(telemetry.errors()).toEqual([]);
  });
});
