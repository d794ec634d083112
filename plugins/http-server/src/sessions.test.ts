import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { Answering, aFewTurns, committed, unavailable } from './answering.fixture.js';
import { gate, Harness, problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';

const service = new Answering();

describe('a request', () => {
  test('has one session, in every handler and in all that they await', async () => {
    const seen: unknown[] = [];
    service.harness.http.router('/route', (request: IncomingMessage, _response: ServerResponse, next: () => void) => {
      seen.push(currentSession(request));
      next();
    });
    const url = service.route(async (request, response) => {
      await new Promise(setImmediate);
      seen.push(currentSession(request), service.sessions.current.getStore()?.opened?.em);
      response.json({});
    });
    await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' });
    expect(new Set(seen).size).toBe(1);
    expect(seen).toHaveLength(3);
    expect(service.sessions.events).toEqual(committed);
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
      service.route((_request, response) => response.end()),
      { method },
    );
    expect(service.sessions.opened).toMatchObject([{ name: `http.${method.toLowerCase()}`, readOnly }]);
  });

  test('of a method that the configuration takes off the list may write', async () => {
    await using writing = await new Harness({ readOnlyMethods: [] }).ready();
    writing.server.letIn(service.sessions);
    writing.http.router('/', (request, response) => {
      currentSession(request);
      response.end();
    });
    await fetch(writing.url);
    expect(service.sessions.opened).toMatchObject([{ readOnly: false }]);
  });

  test('with a body that cannot be read opens none', async () => {
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{' };
    expect(
      (
        await fetch(
          service.route(() => {}),
          init,
        )
      ).status,
    ).toBe(400);
    expect(service.sessions.events).toEqual([]);
  });

  test('to a route without a session has none, and asking for it says so: HTTP_SESSION_MISSING', async () => {
    const ask = (request: IncomingMessage, response: ServerResponse) => {
      expect(() => currentSession(request)).toThrow(
        expect.objectContaining({ code: 'HTTP_SESSION_MISSING', hint: expect.stringContaining('session') }),
      );
      response.end('asked');
    };
    service.harness.http.router('/probe', ask, { session: 'none' });
    expect(await (await fetch(`${service.harness.url}/probe`)).text()).toBe('asked');
    expect(service.sessions.events).toEqual([]);
    await using without = await new Harness().ready();
    without.http.router('/orders', ask);
    expect(await (await fetch(`${without.url}/orders`)).text()).toBe('asked');
  });

  test('for which no session can be opened gets the reason as its answer', async () => {
    service.sessions.failure = unavailable;
    const problem = await problemFrom(await fetch(service.route((_request, response) => response.end('never'))));
    expect([problem.status, problem.retryAfter]).toEqual([503, '2']);
    expect(problem.body.type).toBe('urn:keelson:problem:DATABASE_CONNECTION_LOST');
  });
});

describe('a request that does not use its session', () => {
  test('opens none, and its answer waits for nothing', async () => {
    service.sessions.commit = () => new Promise(() => {});
    const url = service.bareRoute((_request, response) => response.status(201).json({ id: 1 }));
    const response = await fetch(url, { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([201, { id: 1 }]);
    expect(service.sessions.events).toEqual([]);
    await expect.poll(() => service.sessions.closed).toBe(1);
  });

  test('before its answer starts has none afterwards', async () => {
    const late = Promise.withResolvers<unknown>();
    const url = service.bareRoute(async (request, response) => {
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
    expect(service.sessions.events).toEqual([]);
  });

  test('is answered though none could be opened', async () => {
    service.sessions.failure = unavailable;
    expect((await fetch(service.bareRoute((_request, response) => response.end()))).status).toBe(200);
  });

  test('and whose client goes away opens none', async () => {
    const arrived = Promise.withResolvers<void>();
    const client = new AbortController();
    const answer = fetch(
      service.bareRoute(() => arrived.resolve()),
      { signal: client.signal },
    );
    await arrived.promise;
    client.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => service.sessions.closed).toBe(1);
    expect(service.sessions.events).toEqual([]);
  });

  test('uses it later in the same handler as if it had been there from the start', async () => {
    const url = service.bareRoute(async (request, response) => {
      await aFewTurns();
      currentSession(request);
      response.json({});
    });
    expect((await fetch(url)).status).toBe(200);
    expect(service.sessions.events).toEqual(committed);
  });
});

test('a response is held whichever application its handler belongs to', async () => {
  const commit = gate();
  service.sessions.commit = commit.pass;
  const foreign = express().get('/', (_request, response) => void response.json({ id: 1 }));
  let socket: Socket | undefined;
  const url = service.route((request, response) => {
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
