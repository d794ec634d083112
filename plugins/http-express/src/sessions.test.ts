import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { KeelsonError } from '@keelson/core';
import express, { type Response as ExpressResponse, type Request, Router } from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gate, Harness, problemFrom } from './harness.fixture.js';
import { currentSession } from './index.js';
import { RecordedSessions, using } from './sessions.fixture.js';

let harness: Harness;
let sessions: RecordedSessions;

beforeEach(async () => {
  harness = await new Harness().ready();
  sessions = new RecordedSessions();
  harness.server.letIn(sessions);
});

afterEach(() => harness.stop());

type Handler = (request: Request, response: ExpressResponse) => unknown;

/** A route whose requests use their session. */
function route(handler: Handler): string {
  return bareRoute(using(handler));
}

function bareRoute(handler: Handler): string {
  harness.http.router('/route', Router().all('/', handler));
  return `${harness.url}/route`;
}

const committed = ['open', 'commit', 'committed'];
const rolledBack = ['open', 'rollback', 'rolled back'];

const unavailable = new KeelsonError({
  code: 'DATABASE_CONNECTION_LOST',
  message: 'The connection was lost while committing.',
  http: { status: 503, title: 'Service unavailable', retryAfterMs: 2_000 },
});

/** Turns of the event loop, for what must not happen in any of them. */
async function aFewTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

describe('a request', () => {
  test('has one session, in every handler and in all that they await', async () => {
    const seen: unknown[] = [];
    harness.http.router('/route', (request: IncomingMessage, _response: ServerResponse, next: () => void) => {
      seen.push(currentSession(request));
      next();
    });
    const url = route(async (request, response) => {
      await new Promise(setImmediate);
      seen.push(currentSession(request), sessions.current.getStore()?.opened?.em);
      response.json({});
    });
    await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' });
    expect(new Set(seen).size).toBe(1);
    expect(seen).toHaveLength(3);
    expect(sessions.events).toEqual(committed);
  });

  test.each([
    ['GET', true],
    ['HEAD', true],
    ['POST', false],
    ['PUT', false],
    ['PATCH', false],
    ['DELETE', false],
  ])('of method %s is read-only: %s', async (method, readOnly) => {
    await fetch(
      route((_request, response) => response.end()),
      { method },
    );
    expect(sessions.opened).toMatchObject([{ name: `http.${method.toLowerCase()}`, readOnly }]);
  });

  test('of a method that the configuration takes off the list may write', async () => {
    await using writing = await new Harness({ readOnlyMethods: [] }).ready();
    writing.server.letIn(sessions);
    writing.http.router('/', (request, response) => {
      currentSession(request);
      response.end();
    });
    await fetch(writing.url);
    expect(sessions.opened).toMatchObject([{ readOnly: false }]);
  });

  test('with a body that cannot be read opens none', async () => {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{' };
    expect(
      (
        await fetch(
          route(() => {}),
          init,
        )
      ).status,
    ).toBe(400);
    expect(sessions.events).toEqual([]);
  });

  test('to a route without a session has none, and asking for it says so: HTTP_SESSION_MISSING', async () => {
    const ask = (request: IncomingMessage, response: ServerResponse) => {
      expect(() => currentSession(request)).toThrow(
        expect.objectContaining({ code: 'HTTP_SESSION_MISSING', hint: expect.stringContaining('session') }),
      );
      response.end('asked');
    };
    harness.http.router('/probe', ask, { session: 'none' });
    expect(await (await fetch(`${harness.url}/probe`)).text()).toBe('asked');
    expect(sessions.events).toEqual([]);
    await using without = await new Harness().ready();
    without.http.router('/orders', ask);
    expect(await (await fetch(`${without.url}/orders`)).text()).toBe('asked');
  });

  test('for which no session can be opened gets the reason as its answer', async () => {
    sessions.failure = unavailable;
    const problem = await problemFrom(await fetch(route((_request, response) => response.end('never'))));
    expect([problem.status, problem.retryAfter]).toEqual([503, '2']);
    expect(problem.body.type).toBe('urn:keelson:problem:DATABASE_CONNECTION_LOST');
  });
});

describe('a request that does not use its session', () => {
  test('opens none, and its answer waits for nothing', async () => {
    sessions.commit = () => new Promise(() => {});
    const url = bareRoute((_request, response) => response.status(201).json({ id: 1 }));
    const response = await fetch(url, { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([201, { id: 1 }]);
    expect(sessions.events).toEqual([]);
    await expect.poll(() => sessions.closed).toBe(1);
  });

  test('before its answer starts has none afterwards', async () => {
    const late = Promise.withResolvers<unknown>();
    const url = bareRoute(async (request, response) => {
      response.write('first');
      try {
        late.resolve(currentSession(request));
      } catch (error) {
        late.resolve(error);
      }
      response.end();
    });
    await (await fetch(url)).text();
    expect(await late.promise).toMatchObject({ code: 'DATABASE_SESSION_CLOSED' });
    expect(sessions.events).toEqual([]);
  });

  test('is answered though none could be opened', async () => {
    sessions.failure = unavailable;
    expect((await fetch(bareRoute((_request, response) => response.end()))).status).toBe(200);
  });

  test('and whose client goes away opens none', async () => {
    const arrived = Promise.withResolvers<void>();
    const client = new AbortController();
    const answer = fetch(
      bareRoute(() => arrived.resolve()),
      { signal: client.signal },
    );
    await arrived.promise;
    client.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => sessions.closed).toBe(1);
    expect(sessions.events).toEqual([]);
  });

  test('uses it later in the same handler as if it had been there from the start', async () => {
    const url = bareRoute(async (request, response) => {
      await aFewTurns();
      currentSession(request);
      response.json({});
    });
    expect((await fetch(url)).status).toBe(200);
    expect(sessions.events).toEqual(committed);
  });
});

test('a response is held whichever application its handler belongs to', async () => {
  const commit = gate();
  sessions.commit = commit.pass;
  const foreign = express().get('/', (_request, response) => void response.json({ id: 1 }));
  let socket: Socket | undefined;
  const url = route((request, response) => {
    ({ socket } = request);
    foreign(request, response);
  });
  const answer = fetch(url);
  await commit.arrived;
  await aFewTurns();
  expect(socket?.bytesWritten).toBe(0);
  commit.open();
  expect(await (await answer).json()).toEqual({ id: 1 });
});

describe('the commit comes before the first byte', () => {
  const answers: [string, Handler, string][] = [
    ['json', (_request, response) => response.status(201).json({ id: 1 }), '{"id":1}'],
    ['send', (_request, response) => response.send('text'), 'text'],
    ['end', (_request, response) => response.end('text'), 'text'],
    ['sendStatus', (_request, response) => response.sendStatus(202), 'Accepted'],
    ['204', (_request, response) => response.status(204).end(), ''],
    ['redirect', (_request, response) => response.redirect(303, '/orders/1'), 'See Other. Redirecting to /orders/1'],
    ['writeHead and end', (_request, response) => response.writeHead(200, { 'X-A': '1' }).end('text'), 'text'],
    [
      'writeHead with a list',
      (_request, response) => response.writeHead(200, 'Fine', ['X-A', '1']).end('text'),
      'text',
    ],
    [
      'write and end',
      (_request, response) => {
        response.write('first ');
        response.write('second ');
        response.end('third');
      },
      'first second third',
    ],
    [
      'flushHeaders',
      (_request, response) => {
        response.flushHeaders();
        response.end('text');
      },
      'text',
    ],
    [
      'pipe',
      (_request, response) => Readable.from(['first ', 'second ', 'third']).pipe(response),
      'first second third',
    ],
    ['pipeline', (_request, response) => pipeline(Readable.from(['first ', 'second']), response), 'first second'],
  ];

  test.each(answers)('of %s', async (_name, handler, body) => {
    const commit = gate();
    sessions.commit = commit.pass;
    let socket: Socket | undefined;
    const url = route((request, response) => {
      ({ socket } = request);
      return handler(request, response);
    });
    const answer = fetch(url, { method: 'POST', redirect: 'manual' });
    await commit.arrived;
    await aFewTurns();
    expect(socket?.bytesWritten).toBe(0);
    commit.open();
    const response = await answer;
    expect(await response.text()).toBe(body);
    expect(sessions.events).toEqual(committed);
  });

  test('keeps status, message and headers as the handler set them', async () => {
    const url = route((_request, response) =>
      response
        .writeHead(201, 'Made', { 'X-A': '1', 'Set-Cookie': ['a=1', 'b=2'], 'Content-Type': 'text/plain' })
        .end('x'),
    );
    const response = await fetch(url, { method: 'POST' });
    expect([response.status, response.statusText]).toEqual([201, 'Made']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect([response.headers.get('x-a'), response.headers.get('content-type')]).toEqual(['1', 'text/plain']);
  });

  test('of a HEAD request, whose answer has no body', async () => {
    const response = await fetch(
      route((_request, response) => response.json({ id: 1 })),
      { method: 'HEAD' },
    );
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '8']);
    expect(await response.text()).toBe('');
    expect(sessions.events).toEqual(committed);
  });

  test('of a 304', async () => {
    const url = route((_request, response) => response.json({ id: 1 }));
    const etag = (await fetch(url)).headers.get('etag');
    const connection = await harness.connect();
    connection.send(`GET /route HTTP/1.1\r\nHost: test\r\nConnection: close\r\nIf-None-Match: ${etag}\r\n\r\n`);
    expect(await connection.until(({ closed }) => closed)).toMatch(/^HTTP\/1\.1 304 Not Modified\r\n/);
    expect(sessions.events).toEqual([...committed, ...committed]);
  });

  test('of a file, whole and in order', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keelson-'));
    const content = Buffer.alloc(1_000_000, 'keelson');
    await writeFile(join(folder, 'large.txt'), content);
    const response = await fetch(route((_request, response) => response.sendFile('large.txt', { root: folder })));
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
    expect(response.headers.get('content-length')).toBe('1000000');
    expect(sessions.events).toEqual(committed);
    await rm(folder, { recursive: true });
  });

  test('of a stream larger than every buffer, which waits for drain and misses nothing', async () => {
    const chunks = Array.from({ length: 200 }, (_, index) => String(index % 10).repeat(10_000));
    const commit = gate();
    sessions.commit = commit.pass;
    let produced = 0;
    const source = Readable.from(
      (async function* () {
        for (const chunk of chunks) {
          produced++;
          yield chunk;
        }
      })(),
    );
    const answer = fetch(route((_request, response) => source.pipe(response)));
    await commit.arrived;
    await aFewTurns();
    expect(produced, 'a stream waits while the commit runs').toBeLessThan(50);
    commit.open();
    expect(await (await answer).text()).toBe(chunks.join(''));
  });

  test('once, however many writes follow', async () => {
    const url = route(async (_request, response) => {
      for (let part = 0; part < 5; part++) {
        response.write(String(part));
        await new Promise(setImmediate);
      }
      response.end();
    });
    expect(await (await fetch(url)).text()).toBe('01234');
    expect(sessions.events).toEqual(committed);
  });

  test('calls the callbacks of write and end when they have left', async () => {
    const called: string[] = [];
    const url = route((_request, response) => {
      response.write('a', () => called.push('write'));
      response.end('b', () => called.push('end'));
      expect(called).toEqual([]);
    });
    expect(await (await fetch(url)).text()).toBe('ab');
    await expect.poll(() => called).toEqual(['write', 'end']);
  });
});

describe('everything is rolled back', () => {
  test.each([400, 404, 409, 422, 500, 503])('on status %i, before the answer leaves', async status => {
    const rollback = gate();
    sessions.rollback = rollback.pass;
    let socket: Socket | undefined;
    const answer = fetch(
      route((request, response) => {
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
    expect(sessions.events).toEqual(rolledBack);
  });

  test.each([
    ['an error thrown', () => Promise.reject(new Error('broken')), 500],
    [
      'a refusal thrown',
      () => Promise.reject(new KeelsonError({ code: 'NO', message: 'no', http: { status: 409, title: 'No' } })),
      409,
    ],
  ])('on %s, and the answer is its problem', async (_name, handler, status) => {
    const problem = await problemFrom(await fetch(route(handler), { method: 'POST' }));
    expect(problem.status).toBe(status);
    expect(problem.type).toBe('application/problem+json');
    expect(sessions.events).toEqual(rolledBack);
  });

  test('on an unknown route', async () => {
    harness.http.router('/', (request: IncomingMessage, _response: ServerResponse, next: () => void) => {
      currentSession(request);
      next();
    });
    expect((await fetch(`${harness.url}/nowhere`)).status).toBe(404);
    expect(sessions.events).toEqual(rolledBack);
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
      harness.http.router(`/mistake/${index}`, using(handler) as never);
      expect((await fetch(`${harness.url}/mistake/${index}`)).status).toBe(500);
      expect(sessions.events.splice(0)).toEqual(rolledBack);
    }
  });

  test('when the client goes away: its statement is cancelled first', async () => {
    const arrived = Promise.withResolvers<void>();
    const url = route(() => arrived.resolve());
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await arrived.promise;
    client.abort();
    await expect(answer).rejects.toThrow();
    await sessions.until('rolled back');
    expect(sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
    expect(sessions.reasons).toMatchObject([{ name: 'AbortError' }]);
  });

  test('when the client has gone and the handler answers all the same', async () => {
    const answered = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const url = route(async (_request, response) => {
      arrived.resolve();
      await sessions.until('rolled back');
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
    expect(sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
  });

  test('when the client has gone before its session was there: the handler is not called', async () => {
    const begun = gate();
    const onDemand = sessions.onDemand.bind(sessions);
    sessions.onDemand = async settings => {
      await begun.pass();
      return onDemand(settings);
    };
    let called = false;
    const url = bareRoute(() => {
      called = true;
    });
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await begun.arrived;
    client.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => harness.logger.find(/499$/)).toBeDefined();
    begun.open();
    await expect.poll(() => sessions.closed).toBe(1);
    await aFewTurns();
    expect(called).toBe(false);
    expect(sessions.events).toEqual([]);
  });

  test('when a stop cuts the request', async () => {
    const arrived = Promise.withResolvers<void>();
    const answer = fetch(
      route(() => arrived.resolve()),
      { method: 'POST' },
    );
    await arrived.promise;
    const hurry = AbortSignal.abort();
    await harness.drain(hurry);
    await expect(answer).rejects.toThrow();
    await sessions.until('rolled back');
    expect(sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
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
    sessions.commit = () => Promise.reject(unavailable);
    const problem = await problemFrom(await fetch(route(handler), { method: 'POST', redirect: 'manual' }));
    expect([problem.status, problem.type, problem.retryAfter]).toEqual([503, 'application/problem+json', '2']);
    expect(problem.body).toMatchObject({ type: 'urn:keelson:problem:DATABASE_CONNECTION_LOST', status: 503 });
    expect([problem.headers.has('location'), problem.headers.has('set-cookie')]).toEqual([false, false]);
    expect(problem.headers.has('x-request-id')).toBe(true);
    expect(sessions.events).toEqual(['open', 'commit']);
  });

  test('discards further writes of the handler without an error', async () => {
    sessions.commit = () => Promise.reject(unavailable);
    const written = Promise.withResolvers<unknown>();
    const url = route(async (_request, response) => {
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
    sessions.commit = () => Promise.reject(unavailable);
    await fetch(
      route((_request, response) => response.json({})),
      { method: 'POST' },
    );
    await expect
      .poll(() => harness.logger.lines('error'))
      .toMatchObject([{ message: 'POST /route 503', facts: { error: unavailable } }]);
    expect(harness.telemetry.errors()).toMatchObject([{ error: unavailable }]);
  });

  test('because of the request is that status: a conflict is 409', async () => {
    const conflict = new KeelsonError({
      code: 'DATABASE_CONFLICT',
      message: 'x',
      http: { status: 409, title: 'Conflict' },
    });
    sessions.commit = () => Promise.reject(conflict);
    const response = await fetch(
      route((_request, response) => response.json({})),
      { method: 'POST' },
    );
    expect(response.status).toBe(409);
    expect(harness.telemetry.errors()).toEqual([]);
  });

  test('for an unknown reason is a 500', async () => {
    sessions.commit = () => Promise.reject(new Error('secret'));
    const problem = await problemFrom(await fetch(route((_request, response) => response.json({}))));
    expect([problem.status, problem.body.type]).toEqual([500, 'urn:keelson:problem:HTTP_UNEXPECTED']);
  });

  test('keeps the connection in order for the next request', async () => {
    sessions.commit = () => Promise.reject(unavailable);
    route((_request, response) => response.json({ id: 1 }));
    harness.http.router('/next', (_request, response) => response.writeHead(404).end('next'));
    const connection = await harness.connect();
    connection.send('GET /route HTTP/1.1\r\nHost: test\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n');
    const received = await connection.until(({ received }) => received.includes('next'));
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 503', 'HTTP/1.1 404']);
    connection.socket.destroy();
  });
});

describe('middleware', () => {
  test('that changes headers or bodies as they leave works on what was held back', async () => {
    harness.http.router('/', (_request: IncomingMessage, response: ServerResponse, next: () => void) => {
      const { writeHead, end } = response;
      response.writeHead = ((...args: Parameters<typeof writeHead>) => {
        response.setHeader('X-Late', 'set as it leaves');
        return Reflect.apply(writeHead, response, args);
      }) as typeof writeHead;
      response.end = ((...args: Parameters<typeof end>) => {
        response.write('wrapped ');
        return Reflect.apply(end, response, args);
      }) as typeof end;
      next();
    });
    const response = await fetch(route((_request, response) => response.end('body')));
    expect([response.headers.get('x-late'), await response.text()]).toEqual(['set as it leaves', 'wrapped body']);
    expect(sessions.events).toEqual(committed);
  });

  test('that fails as headers leave is a 500, logged and captured; what was committed stays', async () => {
    const error = new Error('on headers');
    harness.http.router('/', (_request: IncomingMessage, response: ServerResponse, next: () => void) => {
      const { writeHead } = response;
      let failed = false;
      response.writeHead = ((...args: Parameters<typeof writeHead>) => {
        if (failed) return Reflect.apply(writeHead, response, args);
        failed = true;
        throw error;
      }) as typeof writeHead;
      next();
    });
    const response = await fetch(route((_request, response) => response.end('body')));
    expect(response.status).toBe(500);
    expect(sessions.events).toEqual(committed);
    expect(harness.telemetry.errors()).toMatchObject([{ error }]);
  });
});

describe('while the commit runs', () => {
  test('an answer that was given cannot be changed any more', async () => {
    const commit = gate();
    sessions.commit = commit.pass;
    const seen: unknown[] = [];
    const url = route((_request, response) => {
      response.status(201).json({ id: 1 });
      seen.push(response.headersSent, response.writableEnded);
      response.statusCode = 500;
      response.statusMessage = 'Changed';
      for (const change of [
        () => response.setHeader('X-Late', '1'),
        () => response.json({ id: 2 }),
        () => response.writeHead(500),
      ]) {
        try {
          change();
        } catch (error) {
          seen.push((error as { code?: string }).code);
        }
      }
      response.end('again');
    });
    const answer = fetch(url, { method: 'POST' });
    await commit.arrived;
    commit.open();
    const response = await answer;
    expect([response.status, response.statusText, await response.json()]).toEqual([201, 'Created', { id: 1 }]);
    expect(response.headers.has('x-late')).toBe(false);
    expect(seen).toEqual([true, true, 'ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT']);
    expect(sessions.events).toEqual(committed);
  });

  test('a handler that fails after its answer changes nothing: it is logged and captured', async () => {
    const commit = gate();
    sessions.commit = commit.pass;
    const error = new Error('after the answer');
    const url = route(async (_request, response) => {
      response.json({ id: 1 });
      throw error;
    });
    const answer = fetch(url, { method: 'POST' });
    await commit.arrived;
    await expect.poll(() => harness.telemetry.errors()).toMatchObject([{ error }]);
    commit.open();
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([200, { id: 1 }]);
    expect(sessions.events).toEqual(committed);
    expect(harness.logger.find('after its answer started')).toMatchObject({ facts: { error } });
  });

  test('a handler that fails in the middle of its answer cuts the connection', async () => {
    const url = route(async (_request, response) => {
      response.write('part');
      throw new Error('in the middle');
    });
    await expect(fetch(url, { method: 'POST' }).then(response => response.text())).rejects.toThrow();
    await sessions.until('committed');
  });

  test('a handler that fails in the middle of its answer gets no 500, which would deny what is stored', async () => {
    const commit = gate();
    sessions.commit = commit.pass;
    const url = route(async (_request, response) => {
      response.write('part');
      await commit.arrived;
      throw new Error('in the middle');
    });
    await expect(fetch(url, { method: 'POST' })).rejects.toThrow();
    commit.open();
    await sessions.until('committed');
    expect(sessions.events).toEqual(committed);
  });

  test('a client that goes away does not disturb it', async () => {
    const commit = gate();
    sessions.commit = commit.pass;
    const closed = Promise.withResolvers<void>();
    const url = route((_request, response) => {
      void once(response, 'close').then(() => closed.resolve());
      response.json({ id: 1 });
    });
    const client = new AbortController();
    const answer = fetch(url, { method: 'POST', signal: client.signal });
    await commit.arrived;
    client.abort();
    await expect(answer).rejects.toThrow();
    await closed.promise;
    commit.open();
    await sessions.until('committed');
    expect(sessions.events).toEqual(committed);
  });
});
