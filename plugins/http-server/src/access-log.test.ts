import { eventually } from '@keelson/test-support/eventually';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { Harness } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';

describe('the access log', () => {
  /** Lines are written when a response closes, which the client need not have waited for. */
  async function linesOf(server: Harness, count: number) {
    const isAccess = (message: string) => /^[A-Z]+ \S+.* \d{3}$/.test(message);
    const found = () => server.logger.lines().filter(line => isAccess(line.message));
    await eventually(() => found().length >= count);
    return found();
  }

  test('has one line for each request: method, route, status and time', async () => {
    await using server = await new Harness().ready();
    server.http.router(
      '/orders',
      Router().get('/:id', (_request, response) => void response.json({})),
    );
    await fetch(`${server.url}/orders/secret-7?token=secret`, { headers: { 'X-Request-Id': 'r-1' } });
    const lines = await linesOf(server, 1);
    expect(lines).toEqual([
      {
        level: 'info',
        message: 'GET /orders/:id 200',
        facts: {
          plugin: 'http',
          method: 'GET',
          route: '/orders/:id',
          status: 200,
          durationMs: expect.any(Number),
        },
        context: { requestId: 'r-1', traceId: server.telemetry.spans()[0]?.traceId },
      },
    ]);
  });

  test('never has text of the client: not in nested routers, not of unknown routes, not after errors', async () => {
    await using server = await new Harness().ready();
    const inner = Router().get('/{*rest}', () => {
      throw new Error('broken');
    });
    const routes = Router();
    routes.use(
      '/admin',
      Router().get('/users', (_request, response) => void response.end()),
    );
    routes.use('/tenants/:id', inner);
    routes.use('/shops/:shop/of-:owner', inner);
    server.http.router('/v1/:version', routes);
    await fetch(`${server.url}/v1/secret/admin/users`);
    await fetch(`${server.url}/v1/secret/tenants/secret7/secret`);
    await fetch(`${server.url}/v1/secret/tenants/secret/secret`);
    await fetch(`${server.url}/v1/secret/shops/secret/of-secret`);
    await fetch(`${server.url}/secret`);
    const lines = await linesOf(server, 5);
    expect(lines.map(line => [line.level, line.message])).toEqual([
      ['info', 'GET /v1/:version/admin/users 200'],
      ['error', 'GET /v1/:version/tenants/*/{*rest} 500'],
      ['error', 'GET /v1/:version/tenants/*/{*rest} 500'],
      ['error', 'GET /v1/:version/shops/*/*/{*rest} 500'],
      ['warn', 'GET (no route) 404'],
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  test('has few routes, also where routers are mounted at parameters in several levels', async () => {
    await using server = await new Harness().ready();
    const orders = Router().get('/orders', (_request, response) => void response.end());
    server.http.router('/shops', Router().use('/:shop', Router().use('/:owner', orders)));
    const letters = Array.from({ length: 30 }, (_, at) => String.fromCharCode(97 + (at % 26)).repeat(1 + at / 26));
    for (const letter of letters) await fetch(`${server.url}/shops/${letter}/ada/orders`);
    const routes = new Set((await linesOf(server, 30)).map(({ facts }) => facts.route));
    expect(routes.size).toBe(21);
    expect(routes).toContain('/shops/*/*/orders');
  });

  test('has the route of an Express application, of one inside of it, and of one inside of a function', async () => {
    await using server = await new Harness().ready();
    const application = () =>
      express().get('/orders/:id', (_request, response) => {
        response.end();
      });
    const hidden = application();
    const passing = express().get('/orders/:id', (_request, _response, next) => next());
    server.http.router('/one', application());
    const failing = express().get('/orders/:id', () => {
      throw new Error('broken');
    });
    server.http.router('/two', express().use('/inner', failing));
    server.http.router('/three', (request, response, next) =>
      Reflect.apply(hidden, undefined, [request, response, next]),
    );
    server.http.router('/four', (request, response, next) =>
      Reflect.apply(passing, undefined, [request, response, () => next()]),
    );
    for (const path of ['/one', '/two/inner', '/three']) await fetch(`${server.url}${path}/orders/secret`);
    await fetch(`${server.url}/four/orders/secret`);
    expect((await linesOf(server, 4)).map(line => line.message)).toEqual([
      'GET /one/orders/:id 200',
      'GET /two/inner/orders/:id 500',
      'GET /three/orders/:id 200',
      'GET (no route) 404',
    ]);
  });

  test('has the path of the mount that answered, for a router that is mounted twice', async () => {
    await using server = await new Harness().ready();
    const routes = Router().get('/:id', (_request, response) => {
      response.end();
    });
    for (const path of ['/one', '/two']) server.http.router(path, routes);
    for (const path of ['/one', '/two', '/one']) await fetch(`${server.url}${path}/secret`);
    const messages = (await linesOf(server, 3)).map(line => line.message);
    expect(messages).toEqual(['GET /one/:id 200', 'GET /two/:id 200', 'GET /one/:id 200']);
  });

  test('logs probes at debug only', async () => {
    await using server = await new Harness().ready();
    server.http.router('/livez', (_request, response) => response.end(), { session: 'none' });
    await fetch(`${server.url}/livez`);
    expect((await linesOf(server, 1)).map(line => [line.level, line.message])).toEqual([['debug', 'GET /livez 200']]);
  });

  test('has status 499 for a client that disconnected before its answer', async () => {
    await using server = await new Harness().ready();
    const arrived = Promise.withResolvers<void>();
    server.http.router('/slow', () => arrived.resolve());
    const controller = new AbortController();
    const headers = { 'X-Request-Id': 'r-1' };
    const answer = fetch(`${server.url}/slow`, { headers, signal: controller.signal });
    await arrived.promise;
    controller.abort();
    await expect(answer).rejects.toThrow();
    const lines = await linesOf(server, 1);
    expect(lines).toMatchObject([
      {
        level: 'warn',
        message: 'GET /slow 499',
        facts: { status: 499, cut: true },
        context: { requestId: 'r-1' },
      },
    ]);
  });

  test('has the same status for a client that disconnected in the middle of its upload, and nothing is captured', async () => {
    await using server = await new Harness().ready();
    server.http.router('/upload', (_request, response) => void response.end());
    const connection = await server.connect();
    const head = 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
    connection.send(`${head}{"a"`);
    await new Promise(setImmediate);
    connection.socket.destroy();
    expect((await linesOf(server, 1)).map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'POST (no route) 499'],
    ]);
    expect(server.telemetry.errors()).toEqual([]);
  });
});
