import { gzipSync } from 'node:zlib';
import { KeelsonError } from '@keelson/core';
import { OptimisticLockError } from '@mikro-orm/core';
import createError from 'http-errors';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Harness, problemFrom } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';

let harness: Harness;

beforeEach(async () => {
  harness = await new Harness({ bodyLimitBytes: 1_000 }).ready();
});

afterEach(() => harness.stop());

/** What a handler that fails with `error` answers. */
async function answerTo(error: unknown) {
  harness.http.router('/failing', async () => {
    throw error;
  });
  return problemFrom(await fetch(`${harness.url}/failing`, { headers: { 'X-Request-Id': 'r-1' } }));
}

function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  harness.http.router(
    '/echo',
    Router().post('/', (request, response) => void response.json(request.body)),
  );
  const init = { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } };
  return fetch(`${harness.url}/echo`, init);
}

describe('an error that is an answer', () => {
  test('becomes its problem document, with every member it has', async () => {
    const problem = await answerTo(
      new KeelsonError({
        code: 'ORDER_INVALID',
        message: 'for the log',
        hint: 'for the log',
        facts: { internal: 1 },
        http: {
          status: 422,
          title: 'Invalid order',
          detail: 'Two fields are wrong.',
          errors: [{ path: '/quantity', message: 'must be 1 or more' }],
          retryAfterMs: 1_001,
        },
      }),
    );
    expect(problem.status).toBe(422);
    expect(problem.type).toBe('application/problem+json');
    expect(problem.retryAfter, 'in seconds, rounded up').toBe('2');
    expect(problem.headers.get('cache-control')).toBe('no-store');
    expect(problem.body).toEqual({
      type: 'urn:keelson:problem:ORDER_INVALID',
      title: 'Invalid order',
      status: 422,
      detail: 'Two fields are wrong.',
      instance: 'urn:keelson:request:r-1',
      errors: [{ path: '/quantity', message: 'must be 1 or more' }],
    });
  });

  test('below 500 is neither captured nor logged as an error', async () => {
    await answerTo(new KeelsonError({ code: 'GONE', message: 'gone', http: { status: 410, title: 'Gone' } }));
    expect(harness.telemetry.errors()).toEqual([]);
    expect(harness.logger.lines('error')).toEqual([]);
  });

  test('of 500 and above is captured once and logged once', async () => {
    const error = new KeelsonError({ code: 'DOWN', message: 'down', http: { status: 503, title: 'Unavailable' } });
    const problem = await answerTo(error);
    expect([problem.status, problem.body.type]).toEqual([503, 'urn:keelson:problem:DOWN']);
    expect(harness.telemetry.errors()).toMatchObject([{ error, operation: 'http.request' }]);
    expect(harness.logger.lines('error').map(line => line.facts.error)).toEqual([error]);
  });
});

describe('any other error', () => {
  const secret = new Error('password=hunter2 at postgres://db');

  const others: readonly (readonly [string, unknown])[] = [
    ['an Error', secret],
    ['a KeelsonError that is not an answer', new KeelsonError({ code: 'INTERNAL_THING', message: 'secret' })],
    [
      'a KeelsonError with a status no error has',
      new KeelsonError({ code: 'ODD', message: 'secret', http: { status: 200, title: 'secret' } }),
    ],
    ['an error with a status that was not made to be shown', Object.assign(new Error('secret'), { status: 404 })],
    ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ECONNABORTED', 'EPIPE'].map(
      code => [`a socket error ${code}`, Object.assign(new Error('secret'), { code, syscall: 'connect' })] as const,
    ),
    [
      'an error with the code of a lost database',
      Object.assign(new Error('secret'), { code: '57P01', severity: 'FATAL' }),
    ],
    ['an exposed error that is not a refusal', Object.assign(new Error('secret'), { status: 502, expose: true })],
    ['a string', 'secret'],
    ['undefined', undefined],
  ];

  test.each(others)('%s is a 500 with nothing said: HTTP_UNEXPECTED', async (_name, error) => {
    const problem = await answerTo(error);
    expect(problem.status).toBe(500);
    expect(problem.type).toBe('application/problem+json');
    expect(problem.body).toEqual({
      type: 'urn:keelson:problem:HTTP_UNEXPECTED',
      title: 'Internal Server Error',
      status: 500,
      instance: 'urn:keelson:request:r-1',
    });
    expect(harness.telemetry.errors()).toHaveLength(1);
    expect(harness.logger.lines('error')).toHaveLength(1);
  });

  test('is captured and logged as it was thrown, with the id of its request', async () => {
    await answerTo(secret);
    expect(harness.telemetry.errors()).toMatchObject([
      { error: secret, facts: { method: 'GET', route: '/failing' }, context: { requestId: 'r-1' } },
    ]);
    expect(harness.logger.lines('error')).toMatchObject([
      { message: 'GET /failing 500', facts: { error: secret }, context: { requestId: 'r-1' } },
    ]);
  });

  test('thrown at once, by a rejection or passed to next is the same', async () => {
    const routes = Router();
    routes.get('/sync', () => {
      throw secret;
    });
    routes.get('/async', () => Promise.reject(secret));
    routes.get('/next', (_request, _response, next) => next(secret));
    harness.http.router('/ways', routes);
    for (const way of ['sync', 'async', 'next']) expect((await fetch(`${harness.url}/ways/${way}`)).status).toBe(500);
  });

  test('takes back what was prepared for the answer, and keeps what is for any answer', async () => {
    harness.http.router('/prepared', (_request, response) => {
      response.statusCode = 201;
      response.statusMessage = 'Wonderful';
      response.setHeader('Location', '/orders/1');
      response.setHeader('Set-Cookie', 'session=1');
      response.setHeader('Content-Encoding', 'gzip');
      response.setHeader('ETag', '"1"');
      response.setHeader('Access-Control-Allow-Origin', '*');
      throw secret;
    });
    const response = await fetch(`${harness.url}/prepared`);
    expect([response.status, response.statusText]).toEqual([500, 'Internal Server Error']);
    for (const name of ['location', 'set-cookie', 'content-encoding', 'etag'])
      expect(response.headers.has(name)).toBe(false);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.has('x-request-id')).toBe(true);
    expect(await response.json()).toMatchObject({ status: 500 });
  });
});

describe('a request that cannot be handled', () => {
  test('to an unknown route is a 404: HTTP_ROUTE_UNKNOWN', async () => {
    const problem = await problemFrom(
      await fetch(`${harness.url}/nowhere?token=1`, { headers: { 'X-Request-Id': 'r-2' } }),
    );
    expect(problem.status).toBe(404);
    expect(problem.type).toBe('application/problem+json');
    expect(problem.body).toEqual({
      type: 'urn:keelson:problem:HTTP_ROUTE_UNKNOWN',
      title: 'Not found',
      status: 404,
      detail: 'No route answers this method and path.',
      instance: 'urn:keelson:request:r-2',
    });
  });

  test('with a method no route has is a 404 as well', async () => {
    harness.http.router(
      '/orders',
      Router().get('/', (_request, response) => void response.json([])),
    );
    const problem = await problemFrom(await fetch(`${harness.url}/orders`, { method: 'DELETE' }));
    expect([problem.status, problem.body.type]).toEqual([404, 'urn:keelson:problem:HTTP_ROUTE_UNKNOWN']);
  });

  test('with broken JSON is a 400 that repeats none of it: HTTP_BODY_MALFORMED', async () => {
    const problem = await problemFrom(await post('{"password": hunter2}'));
    expect(problem.status).toBe(400);
    expect(problem.body).toMatchObject({
      type: 'urn:keelson:problem:HTTP_BODY_MALFORMED',
      title: 'Malformed body',
      detail: 'The body is not a valid JSON object or array.',
    });
    expect(JSON.stringify(problem.body)).not.toContain('hunter2');
    expect(harness.logger.lines('warn')).toHaveLength(1);
    expect(JSON.stringify(harness.logger.lines())).not.toContain('hunter2');
  });

  test('with a body above the limit is a 413: HTTP_BODY_TOO_LARGE', async () => {
    const problem = await problemFrom(await post(JSON.stringify({ text: 'x'.repeat(200_000) })));
    expect(problem.status).toBe(413);
    expect(problem.body).toMatchObject({
      type: 'urn:keelson:problem:HTTP_BODY_TOO_LARGE',
      title: 'Body too large',
      detail: 'The body is larger than 1000 bytes.',
    });
  });

  test('with a small body that unpacks to a large one is a 413', async () => {
    const bomb = gzipSync(JSON.stringify({ text: 'x'.repeat(200_000) }));
    expect(bomb.byteLength).toBeLessThan(1_000);
    expect((await post(bomb, { 'Content-Encoding': 'gzip' })).status).toBe(413);
  });

  test('in a charset or an encoding that is not read is a 415: HTTP_BODY_UNSUPPORTED', async () => {
    for (const headers of [{ 'Content-Type': 'application/json; charset=koi8-r' }, { 'Content-Encoding': 'rot13' }]) {
      const problem = await problemFrom(await post('{}', headers as Record<string, string>));
      expect(problem.status).toBe(415);
      expect(problem.body).toMatchObject({
        type: 'urn:keelson:problem:HTTP_BODY_UNSUPPORTED',
        title: 'Unsupported body',
      });
    }
  });

  test('with a path that cannot be decoded is a 400: HTTP_PATH_MALFORMED', async () => {
    harness.http.router(
      '/orders',
      Router().get('/:id', (request, response) => void response.json(request.params.id)),
    );
    const problem = await problemFrom(await fetch(`${harness.url}/orders/%E0%A4%A`));
    expect([problem.status, problem.body.type]).toEqual([400, 'urn:keelson:problem:HTTP_PATH_MALFORMED']);
  });

  test('and is refused by a middleware with an exposed error keeps its status and sentence: HTTP_REQUEST_REFUSED', async () => {
    const problem = await answerTo(createError(403, 'Only for administrators.'));
    expect(problem.body).toMatchObject({
      type: 'urn:keelson:problem:HTTP_REQUEST_REFUSED',
      status: 403,
      detail: 'Only for administrators.',
    });
    expect(harness.telemetry.errors()).toEqual([]);
  });

  test('and loses a race by its version is a 409: HTTP_VERSION_CONFLICT', async () => {
    const entity = { secret: 'of a user' };
    const problem = await answerTo(OptimisticLockError.lockFailedVersionMismatch(entity, 1, 2));
    expect(problem.body).toMatchObject({ type: 'urn:keelson:problem:HTTP_VERSION_CONFLICT', status: 409 });
    expect(JSON.stringify(problem.body)).not.toContain('of a user');
    expect(harness.telemetry.errors()).toEqual([]);
  });

  test('and locks an entity that has no version is a 500', async () => {
    const problem = await answerTo(
      new OptimisticLockError('Cannot obtain optimistic lock on unversioned entity Order'),
    );
    expect(problem.body).toMatchObject({ type: 'urn:keelson:problem:HTTP_UNEXPECTED', status: 500 });
  });

  test('HEAD gets the status and the headers of the problem alone', async () => {
    const response = await fetch(`${harness.url}/nowhere`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    expect(await response.text()).toBe('');
  });
});

describe('bytes that are not a request', () => {
  const documentIn = (received: string) => JSON.parse(received.slice(received.indexOf('\r\n\r\n')));

  test('are a 400: HTTP_REQUEST_MALFORMED', async () => {
    const connection = await harness.connect();
    connection.send('BLAH\r\n\r\n');
    const received = await connection.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/);
    expect(documentIn(received)).toMatchObject({ type: 'urn:keelson:problem:HTTP_REQUEST_MALFORMED', status: 400 });
  });

  test('with headers that are too large are a 431: HTTP_HEADERS_TOO_LARGE', async () => {
    const connection = await harness.connect();
    connection.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
    const received = await connection.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 431 /);
    expect(documentIn(received)).toMatchObject({ type: 'urn:keelson:problem:HTTP_HEADERS_TOO_LARGE', status: 431 });
  });

  test('in the middle of an answer cut it: a second answer inside of it would be taken for a part', async () => {
    harness.http.router('/stream', (_request, response) => response.write('part'));
    const connection = await harness.connect();
    connection.send('GET /stream HTTP/1.1\r\nHost: a\r\n\r\n');
    await connection.until(({ received }) => received.includes('part'));
    connection.send('BLAH\r\n\r\n');
    const received = await connection.until(({ closed }) => closed);
    expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test.each([
    ['headers', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['a body', 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a"'],
  ])('that stop in the middle of %s are a 408: HTTP_REQUEST_TIMEOUT', async (_name, bytes) => {
    await using slow = await new Harness({ headersTimeoutMs: 100, requestTimeoutMs: 100 }).ready();
    const connection = await slow.connect();
    connection.send(bytes);
    const received = await connection.until(({ closed }) => closed);
    expect(received).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
    expect(documentIn(received)).toMatchObject({ type: 'urn:keelson:problem:HTTP_REQUEST_TIMEOUT', status: 408 });
  });
});
