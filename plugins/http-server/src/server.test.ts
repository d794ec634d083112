import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@keelson/test-support/eventually';
import express from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { Harness, problemFrom } from './harness.fixture.js';
import { httpOptions } from './options.js';
import { isExpress, Router } from './server-under-test.fixture.js';

let harness: Harness | undefined;

afterEach(async () => {
  await harness?.stop();
  harness = undefined;
});

async function ready(options: object = {}): Promise<Harness> {
  harness = await new Harness(options).ready();
  return harness;
}

describe('listening', () => {
  test('exposes its url while it listens', async () => {
    harness = new Harness();
    await harness.start();
    expect(harness.http.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(harness.logger.find('listening on')).toMatchObject({
      level: 'info',
      message: `listening on ${harness.url}`,
      facts: { url: harness.url, address: '127.0.0.1' },
    });
    const { http } = harness;
    await harness.stop();
    expect(http.url).toBeUndefined();
  });

  test.each(['0.0.0.0', '::', undefined])(
    'on every address (host %s) says so, beside a URL that works here',
    async host => {
      harness = new Harness({ host });
      await harness.start();
      const { port } = new URL(harness.url);
      const line = harness.logger.find('listening on every address');
      expect(line?.message).toBe(
        `listening on every address of this machine, port ${port}: here http://127.0.0.1:${port}`,
      );
      expect(line?.facts).toMatchObject({ url: harness.url, address: expect.stringMatching(/^(::|0\.0\.0\.0)$/) });
      expect(harness.url).toBe(`http://127.0.0.1:${port}`);
    },
  );

  test('on an IPv6 address gives a URL that works', async () => {
    const { url } = await ready({ host: '::1' });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(url)).status).toBe(404);
  });

  test('on a port in use fails with what to do: HTTP_PORT_TAKEN', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(new Harness({ port }).start()).rejects.toMatchObject({
      code: 'HTTP_PORT_TAKEN',
      message: `Port ${port} is in use by another process.`,
      hint: expect.stringContaining('set another port'),
      facts: { port, errno: 'EADDRINUSE' },
    });
    other.close();
  });

  test('on an address that is not of this machine fails with what to do: HTTP_LISTEN_FAILED', async () => {
    await expect(new Harness({ host: '192.0.2.1' }).start()).rejects.toMatchObject({
      code: 'HTTP_LISTEN_FAILED',
      hint: expect.stringContaining('an address of this machine'),
      facts: { host: '192.0.2.1', errno: 'EADDRNOTAVAIL' },
    });
  });

  test('a stop after a start that failed, and a second stop, do nothing', async () => {
    const { port } = await ready();
    const second = new Harness({ port });
    await expect(second.start()).rejects.toThrow();
    await second.stop();
    await second.stop();
  });

  test('has limits of time and size by default', () => {
    expect(httpOptions.parse({})).toMatchObject({
      port: 3_000,
      bodyLimitBytes: 102_400,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 60_000,
      keepAliveTimeoutMs: 65_000,
      trustProxy: false,
    });
  });

  test('closes a connection that was idle for its timeout, and none whose handler takes longer', async () => {
    const { http } = await ready({ keepAliveTimeoutMs: 50, stalledTimeoutMs: 50 });
    http.router('/slow', (_request, response) => setTimeout(() => response.end('slow'), 300));
    const connection = await harness?.connect();
    connection?.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await connection?.until(({ closed }) => closed)).toMatch(/slow$/);
  });

  test('sends clients the idle timeout of connections', async () => {
    const { url } = await ready({ keepAliveTimeoutMs: 7_000 });
    expect((await fetch(url)).headers.get('keep-alive')).toBe('timeout=7');
  });
});

describe('admission', () => {
  test('until the service is ready its routes answer 503 with Retry-After, unknown ones too: HTTP_NOT_READY', async () => {
    harness = await new Harness().start();
    harness.http.router('/orders', (_request, response) => response.end('served'));
    for (const path of ['/orders', '/unknown']) {
      const problem = await problemFrom(await fetch(harness.url + path));
      expect([problem.status, problem.retryAfter, problem.type]).toEqual([503, '1', 'application/problem+json']);
      expect(problem.body).toMatchObject({
        type: 'urn:keelson:problem:HTTP_NOT_READY',
        title: 'Service unavailable',
        detail: 'The service is starting.',
      });
    }
    await harness.letIn();
    expect(await (await fetch(`${harness.url}/orders`)).text()).toBe('served');
  });

  test('a refusal is not a fault: it is neither captured nor logged as an error', async () => {
    harness = await new Harness().start();
    await fetch(`${harness.url}/orders`);
    expect(harness.telemetry.errors()).toEqual([]);
    expect(harness.logger.lines('error')).toEqual([]);
    expect(harness.logger.find(/503$/)).toMatchObject({ level: 'warn', facts: { code: 'HTTP_NOT_READY' } });
  });

  test('routes without a session answer at any time, also when others were mounted before them', async () => {
    harness = await new Harness().start();
    harness.http.router('/', (_request, response) => response.end('everything'));
    harness.http.router('/livez', (_request, response) => response.end('alive'), { session: 'none' });
    expect(await (await fetch(`${harness.url}/livez`)).text()).toBe('alive');
    expect((await fetch(`${harness.url}/other`)).status).toBe(503);
  });

  test('the service goes on answering when its stop begins, until it drains', async () => {
    const { http, lifecycle, url } = await ready();
    http.router('/orders', (_request, response) => response.end('served'));
    lifecycle.move('stopping');
    expect((await fetch(`${url}/orders`)).status).toBe(200);
  });

  test('a server that is started again in a ready service admits requests only after ready()', async () => {
    harness = new Harness();
    harness.lifecycle.move('ready');
    await harness.start();
    expect((await fetch(harness.url)).status).toBe(503);
    await harness.letIn();
    expect((await fetch(harness.url)).status).toBe(404);
  });

  test('a service whose stop starts before it was ready admits no request', async () => {
    harness = await new Harness().start();
    harness.lifecycle.move('stopping');
    expect((await fetch(harness.url)).status).toBe(503);
  });
});

describe('routes', () => {
  test('are tried in the order in which they were mounted', async () => {
    const { http, url } = await ready();
    http.router('/a', (_request, response, next) => {
      response.setHeader('X-First', 'yes');
      next();
    });
    http.router('/a', (request, response) => response.end(request.url));
    const response = await fetch(`${url}/a/b?c`);
    expect(response.headers.get('x-first')).toBe('yes');
    expect(await response.text()).toBe('/b?c');
  });

  test('may be Express routers, applications and plain functions', async () => {
    const { http, url } = await ready();
    http.router(
      '/router',
      Router().get('/:id', (request, response) => void response.send(request.params.id)),
    );
    http.router(
      '/app',
      express().get('/:id', (request, response) => void response.send(request.params.id)),
    );
    http.router('/function', (request, response) => response.end(request.url?.slice(1)));
    for (const kind of ['router', 'app', 'function']) {
      expect(await (await fetch(`${url}/${kind}/7`)).text()).toBe('7');
    }
  });

  test('get JSON bodies parsed, those of a suffix type too, and leave others alone', async () => {
    const { http, url } = await ready();
    http.router(
      '/echo',
      Router().post('/', (request, response) => void response.json({ body: request.body })),
    );
    const echo = async (type: string, body: string) =>
      (await fetch(`${url}/echo`, { method: 'POST', headers: { 'Content-Type': type }, body })).json();
    expect(await echo('application/json', '{"a":1}')).toEqual({ body: { a: 1 } });
    expect(await echo('application/merge-patch+json', '{"a":1}')).toEqual({ body: { a: 1 } });
    expect(await echo('text/plain', '{"a":1}')).toEqual({});
  });

  test.runIf(isExpress)('see the address of the client behind a trusted proxy alone', async () => {
    for (const [trustProxy, ip] of [
      [false, '127.0.0.1'],
      ['loopback', '203.0.113.9'],
    ]) {
      await using server = await new Harness({ trustProxy: trustProxy as boolean | string }).ready();
      server.http.router(
        '/ip',
        Router().get('/', (request, response) => void response.send(request.ip)),
      );
      const response = await fetch(`${server.url}/ip`, { headers: { 'X-Forwarded-For': '203.0.113.9' } });
      expect(await response.text()).toBe(ip);
    }
  });

  test('have no header that names the server software', async () => {
    const { url } = await ready();
    const { headers } = await fetch(url);
    expect([headers.has('x-powered-by'), headers.has('server')]).toEqual([false, false]);
  });
});

describe('an error after the answer', () => {
  test('was complete is logged and captured, and the answer stands', async () => {
    const { http, url, logger, telemetry } = await ready();
    const error = new Error('too late');
    http.router('/late', async (_request, response) => {
      response.end('complete');
      throw error;
    });
    const response = await fetch(`${url}/late`);
    expect([response.status, await response.text()]).toEqual([200, 'complete']);
    await eventually(() => telemetry.errors().length > 0);
    expect(logger.find('after its answer started')).toMatchObject({
      level: 'error',
      facts: { route: '/late', method: 'GET', error },
    });
    expect(telemetry.errors()).toHaveLength(1);
  });

  test('had started cuts the connection, so that no client takes the part for the whole', async () => {
    const { http, url, telemetry } = await ready();
    http.router('/part', async (_request, response) => {
      response.write('part');
      await new Promise(setImmediate);
      throw new Error('in the middle');
    });
    const response = await fetch(`${url}/part`);
    await expect(response.text()).rejects.toThrow();
    expect(telemetry.errors()).toHaveLength(1);
  });

  test('for a client that has disconnected is not a fault', async () => {
    const server = await ready();
    const arrived = Promise.withResolvers<void>();
    server.http.router('/gone', async (request, response) => {
      arrived.resolve();
      await once(response, 'close');
      throw new Error(`aborted ${request.method}`);
    });
    const controller = new AbortController();
    const answer = fetch(`${server.url}/gone`, { signal: controller.signal });
    await arrived.promise;
    controller.abort();
    await expect(answer).rejects.toThrow();
    await eventually(() => server.logger.find('after its client disconnected') !== undefined);
    expect(server.telemetry.errors()).toEqual([]);
    expect(server.logger.lines('error')).toEqual([]);
  });
});
