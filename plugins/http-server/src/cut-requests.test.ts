import { HttpServer } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import { repeatable } from '@keelson/http-express';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { Author } from '@keelson/test-support/sample-model';
import type { RequestHandler } from 'express';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { startAuthorService, urlOf } from './author-services.fixture.js';
import { connectTo } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { Router } from './server-under-test.fixture.js';

const insert: RequestHandler = async (request, response) => {
  await currentSession(request).insert(Author, { id: 1, email: 'a@example.org' });
  response.status(201).end();
};
const inserting = repeatable(async em => {
  await em.insert(Author, { id: 1, email: 'a@example.org' });
  return { status: 201 };
});

const creating: RequestHandler = (request, response) => {
  currentSession(request).create(Author, { id: 1, email: 'a@example.org' });
  response.status(201).end();
};
const places: [string, RequestHandler][] = [
  ['in its session', insert],
  ['in the flush of its commit', creating],
  ['in a repeatable handler', inserting],
];

/** A service with a request that waits for the table, which `witness` has locked. */
async function waitingRequest(handler: RequestHandler, { http: times = {}, shutdown = {} } = {}) {
  await using started = new AsyncDisposableStack();
  const database = started.use(await createTestDatabase());
  const witness = started.adopt(new pg.Client(database.adminUrl), client => client.end());
  await witness.connect();
  const kernel = await startAuthorService(
    ({ container }) => container.get(HttpServer).router('/authors', Router().post('/', handler)),
    { values: { http: times, database: { url: database.url } }, shutdown },
  );
  started.defer(async () => void (await kernel.stop()));
  await witness.query('begin');
  await witness.query('lock table author');
  const client = await connectTo(Number(new URL(urlOf(kernel)).port));
  client.send('POST /authors HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n');
  const isBusy = () => kernel.container.get(DatabaseService).stats().busy === 1;
  await eventually(isBusy, { that: 'the request to wait' });
  const ending = started.move();
  return {
    client,
    kernel,
    isBusy,
    storedAfterLock: async () => {
      await witness.query('commit');
      return (await witness.query('select from author')).rowCount;
    },
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  };
}

describe.each([
  ['its own time', { http: { drainTimeoutMs: 300 } }],
  ['the time of the kernel', { shutdown: { drainMs: 300 } }],
])('a request that waits for the database when the time to drain is over, by %s,', (_whose, times) => {
  test.each(places)('gets a 503 that closes its connection, and stores nothing: %s', async (_where, handler) => {
    await using waiting = await waitingRequest(handler, times);
    const stop = waiting.kernel.stop();
    const received = await waiting.client.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 503 [\s\S]*\r\nConnection: close\r\n[\s\S]*DATABASE_SESSION_ABORTED/);
    expect(received).toMatch(/\r\nRetry-After: 1\r\n/);
    await stop;
    expect(await waiting.storedAfterLock()).toBe(0);
  });
});

test.each(places)(
  'a request whose client leaves before COMMIT is sent stores nothing later: %s',
  async (_where, handler) => {
    await using waiting = await waitingRequest(handler);
    waiting.client.socket.destroy();
    await eventually(() => !waiting.isBusy(), { that: 'the statement to be cancelled' });
    expect(await waiting.storedAfterLock()).toBe(0);
  },
);
