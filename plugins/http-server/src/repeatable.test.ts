import { createReadStream } from 'node:fs';
import { HttpServer, type Kernel } from '@keelson/core';
import { DatabaseService, type EntityManager } from '@keelson/database';
import type { Answer } from '@keelson/http';
import { repeatable } from '@keelson/http-express';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import express, { type RequestHandler } from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startAuthorService, urlOf } from './author-services.fixture.js';
import { problemFrom } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';

let database: TestDatabase;
let proxy: TcpProxy;
let kernel: Kernel;
let handler: RequestHandler;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startTcpProxy({ to: database.url });
  kernel = await startAuthorService(
    ({ container }) => {
      const routes = Router().post('/text', express.text({ type: 'text/csv' }), (...given) => handler(...given));
      container.get(HttpServer).router(
        '/authors',
        routes.all('/', (...given) => handler(...given)),
      );
    },
    { values: { database: { url: proxy.url(database.url) } } },
  );
});

afterAll(async () => {
  await kernel.stop();
  await proxy.dispose();
  await database[Symbol.asyncDispose]();
});

const service = () => kernel.container.get(DatabaseService);
const post = (init: RequestInit = {}, path = '') =>
  fetch(`${urlOf(kernel)}/authors${path}`, { method: 'POST', ...init });
const stored = () => service().read(async em => (await em.find(Author, {})).map(({ email }) => email));

afterEach(() => service().session(em => em.nativeDelete(Author, {})));

describe('an answer that cannot be sent', () => {
  const circular: Record<string, unknown> = {};
  circular.itself = circular;
  const answers: [string, () => Answer][] = [
    ['a bigint', () => ({ body: { id: 5n } })],
    ['a circle', () => ({ body: circular })],
    ['a stream', () => ({ body: createReadStream(import.meta.filename) })],
    ['a stream of the web', () => ({ body: new Blob(['x']).stream() })],
    ['a function', () => ({ body: () => 1 })],
    ['a header that is none', () => ({ headers: { Location: '/authors/\n' } })],
    ['a status that is none', () => ({ status: Number.NaN })],
  ];

  test.each(answers)('is a 500 for which nothing is stored: %s', async (_what, answer) => {
    handler = repeatable(async em => {
      em.create(Author, { id: 1, email: 'a@example.org' });
      return answer();
    });
    expect((await post()).status).toBe(500);
    expect(await stored()).toEqual([]);
  });
});

test('an answer has what the flush has set, in the form that the application wants', async () => {
  const application = express().set('json escape', true).set('json spaces', 1);
  application.use(
    repeatable(async em => {
      const author = em.create(Author, { email: '<a>' }, { partial: true });
      return { status: 201, headers: { 'X-Made': 'yes' }, body: author };
    }),
  );
  handler = application;
  const answer = await post();
  expect([answer.status, answer.headers.get('x-made')]).toEqual([201, 'yes']);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  const text = await answer.text();
  expect(text).toContain('\n "email": "\\u003ca\\u003e"');
  expect(JSON.parse(text)).toMatchObject({ id: expect.any(Number) });
});

describe('when its connection is lost, a handler that reads its body', () => {
  const csv = { headers: { 'Content-Type': 'text/csv' }, body: 'a\nb' };
  const insertAll = async (em: EntityManager, text: string) => {
    let id = 0;
    for (const email of text.split('\n')) await em.insert(Author, { id: ++id, email });
    return { status: 201 };
  };

  test('as a stream is a 503, for the second attempt would find the body empty: HTTP_BODY_GONE', async () => {
    handler = repeatable(async (em, request) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      return insertAll(em, text);
    });
    const cut = proxy.onceAt(/insert into/i, 'before');
    const problem = await problemFrom(await post(csv));
    await cut;
    expect([problem.status, problem.retryAfter]).toEqual([503, '1']);
    expect(problem.body).toMatchObject({ type: 'urn:keelson:problem:HTTP_BODY_GONE' });
    expect(await stored()).toEqual([]);
    expect((await post(csv)).status).toBe(201);
    expect(await stored()).toEqual(['a', 'b']);
  });

  test('before it is called runs again', async () => {
    handler = repeatable((em, request) => insertAll(em, request.body));
    const cut = proxy.onceAt(/insert into/i, 'before');
    expect((await post(csv, '/text')).status).toBe(201);
    await cut;
    expect(await stored()).toEqual(['a', 'b']);
  });

  test('runs again when the request has none', async () => {
    let attempts = 0;
    handler = repeatable(async (em, request) => {
      attempts += 1;
      for await (const _chunk of request);
      return insertAll(em, 'a');
    });
    const cut = proxy.onceAt(/insert into/i, 'before');
    expect((await post()).status).toBe(201);
    await cut;
    expect([attempts, await stored()]).toEqual([2, ['a']]);
  });
});
