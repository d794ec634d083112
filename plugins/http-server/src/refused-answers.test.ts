import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { KeelsonError } from '@keelson/core';
import { describe, expect, test } from 'vitest';
import { Answering, aFewTurns, type Handler, rolledBack, unavailable } from './answering.fixture.js';
import { gate, problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { using } from './sessions.fixture.js';

const service = new Answering();

describe('everything is rolled back', () => {
  test.each([400, 404, 409, 422, 500, 503])('on status %i, before the answer leaves', async status => {
    const rollback = gate();
    service.sessions.rollback = rollback.pass;
    let socket: Socket | undefined;
    const answer = fetch(
      service.route((request, response) => {
        ({ socket } = request);
        response.status(status).json({ no: true });
      }),
      { method: 'POST' },
    );
    await rollback.arrived;
    await aFewTurns();
    expect(socket?.bytesWritten).toBe(0);
    rollback.open();
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([status, { no: true }]);
    expect(service.sessions.events).toEqual(rolledBack);
  });

  test.each([
    ['an error thrown', () => Promise.reject(new Error('broken')), 500],
    [
      'a refusal thrown',
      () => Promise.reject(new KeelsonError({ code: 'NO', message: 'no', http: { status: 409, title: 'No' } })),
      409,
    ],
  ])('on %s, and the answer is its problem', async (_name, handler, status) => {
    const problem = await problemFrom(await fetch(service.route(handler), { method: 'POST' }));
    expect(problem.status).toBe(status);
    expect(problem.type).toBe('application/problem+json');
    expect(service.sessions.events).toEqual(rolledBack);
  });

  test('on an unknown route', async () => {
    service.harness.http.router('/', (request: IncomingMessage, _response: ServerResponse, next: () => void) => {
      currentSession(request);
      next();
    });
    expect((await fetch(`${service.harness.url}/nowhere`)).status).toBe(404);
    expect(service.sessions.events).toEqual(rolledBack);
  });

  test('on an answer that Node refuses to send', async () => {
    const mistakes: Handler[] = [
      (_request, response) => response.end({ not: 'bytes' } as unknown as string),
      (_request, response) => response.write(7 as unknown as string),
      (_request, response) => response.writeHead(200, { 'X-Bad': 'line\nbreak' }).end(),
      (_request, response) => {
        response.statusCode = 7;
        response.end('text');
      },
    ];
    for (const [index, handler] of mistakes.entries()) {
      service.harness.http.router(`/mistake/${index}`, using(handler) as never);
      expect((await fetch(`${service.harness.url}/mistake/${index}`)).status).toBe(500);
      expect(service.sessions.events.splice(0)).toEqual(rolledBack);
    }
  });

  test('when the client goes away: its statement is cancelled first', async () => {
    const arrived = Promise.withResolvers<void>();
    const url = service.route(() => arrived.resolve());
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await arrived.promise;
    client.abort();
    await expect(answer).rejects.toThrow();
    await service.sessions.until('rolled back');
    expect(service.sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
    expect(service.sessions.reasons).toMatchObject([{ name: 'AbortError' }]);
  });

  test('when the client has gone and the handler answers all the same', async () => {
    const answered = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const url = service.route(async (_request, response) => {
      arrived.resolve();
      await service.sessions.until('rolled back');
      response.json({ fine: true });
      response.write('more', () => answered.resolve());
    });
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await arrived.promise;
    client.abort();
    await expect(answer).rejects.toThrow();
    await answered.promise;
    await aFewTurns();
    expect(service.sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
  });

  test('when the client has gone before its session was there: the handler is not called', async () => {
    const begun = gate();
    const onDemand = service.sessions.onDemand.bind(service.sessions);
    service.sessions.onDemand = async settings => {
      await begun.pass();
      return onDemand(settings);
    };
    let called = false;
    const url = service.bareRoute(() => {
      called = true;
    });
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await begun.arrived;
    client.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => service.harness.logger.find(/499$/)).toBeDefined();
    begun.open();
    await expect.poll(() => service.sessions.closed).toBe(1);
    await aFewTurns();
    expect(called).toBe(false);
    expect(service.sessions.events).toEqual([]);
  });

  test('when a stop cuts the request', async () => {
    const arrived = Promise.withResolvers<void>();
    const answer = fetch(
      service.route(() => arrived.resolve()),
      { method: 'POST' },
    );
    await arrived.promise;
    const hurry = AbortSignal.abort();
    await service.harness.drain(hurry);
    await expect(answer).rejects.toThrow();
    await service.sessions.until('rolled back');
    expect(service.sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
  });
});

describe('a commit that fails', () => {
  const late: [string, Handler][] = [
    ['json', (_request, response) => response.status(201).location('/orders/1').cookie('a', 'b').json({ id: 1 })],
    ['sendStatus', (_request, response) => response.sendStatus(204)],
    ['redirect', (_request, response) => response.redirect('/orders/1')],
    ['writeHead', (_request, response) => response.writeHead(201, 'Made', { Location: '/orders/1' }).end('made')],
    [
      'write and end',
      (_request, response) => {
        response.write('first');
        response.end('last');
      },
    ],
    ['pipe', (_request, response) => Readable.from(['first', 'second']).pipe(response)],
    ['a stream without end', (_request, response) => Readable.from(endless()).pipe(response)],
  ];

  async function* endless() {
    for (;;) {
      await new Promise(setImmediate);
      yield 'more';
    }
  }

  test.each(late)('turns the answer of %s into its problem', async (_name, handler) => {
    service.sessions.commit = () => Promise.reject(unavailable);
    const problem = await problemFrom(await fetch(service.route(handler), { method: 'POST', redirect: 'manual' }));
    expect([problem.status, problem.type, problem.retryAfter]).toEqual([503, 'application/problem+json', '2']);
    expect(problem.body).toMatchObject({ type: 'urn:keelson:problem:DATABASE_CONNECTION_LOST', status: 503 });
    expect([problem.headers.has('location'), problem.headers.has('set-cookie')]).toEqual([false, false]);
    expect(problem.headers.has('x-request-id')).toBe(true);
    expect(service.sessions.events).toEqual(['open', 'commit']);
  });

  test('discards further writes of the handler without an error', async () => {
    service.sessions.commit = () => Promise.reject(unavailable);
    const written = Promise.withResolvers<unknown>();
    const url = service.route(async (_request, response) => {
      response.write('first');
      await once(response, 'finish');
      response.write('second', error => written.resolve(error));
      response.writeHead(200);
      response.end('last');
    });
    const problem = await problemFrom(await fetch(url, { method: 'POST' }));
    expect(problem.status).toBe(503);
    expect(await written.promise).toMatchObject({ message: 'Another answer was given.' });
  });

  test('is captured once and logged once, by the line of its request', async () => {
    service.sessions.commit = () => Promise.reject(unavailable);
    await fetch(
      service.route((_request, response) => response.json({})),
      { method: 'POST' },
    );
    await expect
      .poll(() => service.harness.logger.lines('error'))
      .toMatchObject([{ message: 'POST /route 503', facts: { error: unavailable } }]);
    expect(service.harness.telemetry.errors()).toMatchObject([{ error: unavailable }]);
  });

  test('because of the request is that status: a conflict is 409', async () => {
    const conflict = new KeelsonError({
      code: 'DATABASE_CONFLICT',
      message: 'x',
      http: { status: 409, title: 'Conflict' },
    });
    service.sessions.commit = () => Promise.reject(conflict);
    const response = await fetch(
      service.route((_request, response) => response.json({})),
      { method: 'POST' },
    );
    expect(response.status).toBe(409);
    expect(service.harness.telemetry.errors()).toEqual([]);
  });

  test('for an unknown reason is a 500', async () => {
    service.sessions.commit = () => Promise.reject(new Error('secret'));
    const problem = await problemFrom(await fetch(service.route((_request, response) => response.json({}))));
    expect([problem.status, problem.body.type]).toEqual([500, 'urn:keelson:problem:HTTP_UNEXPECTED']);
  });

  test('keeps the connection in order for the next request', async () => {
    service.sessions.commit = () => Promise.reject(unavailable);
    service.route((_request, response) => response.json({ id: 1 }));
    service.harness.http.router('/next', (_request, response) => response.writeHead(404).end('next'));
    const connection = await service.harness.connect();
    connection.send('GET /route HTTP/1.1\r\nHost: test\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n');
    const received = await connection.until(({ received }) => received.includes('next'));
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 503', 'HTTP/1.1 404']);
    connection.socket.destroy();
  });
});
