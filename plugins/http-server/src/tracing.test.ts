import { currentContext, KeelsonError, silentTelemetry, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { eventually } from '@keelson/test-support/eventually';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gate, Harness } from './harness.fixture.js';
import { httpOptions } from './options.js';
import { createServer, Router } from './server-under-test.fixture.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${spanId}-01`;

let service: Harness;
const spans = () => service.telemetry.spans();

async function ended(count = 1) {
  await eventually(() => spans().filter(span => span.durationMs !== undefined).length === count);
  return spans();
}

describe('the span of a request', () => {
  beforeEach(async () => {
    service = await new Harness().ready();
  });
  afterEach(() => service.stop());

  test('has the template of its route, the status, and no path, query or header', async () => {
    service.http.router(
      '/orders',
      Router().get('/:id', (_request, response) => void response.send('one')),
    );
    await fetch(`${service.url}/orders/hush-7?token=hush`, { headers: { cookie: 'hush', authorization: 'hush' } });
    expect(await ended()).toMatchObject([
      {
        name: 'GET /orders/:id',
        operation: 'http.server',
        kind: 'server',
        status: 'ok',
        attributes: { 'http.request.method': 'GET', 'http.route': '/orders/:id', 'http.response.status_code': 200 },
      },
    ]);
    expect(JSON.stringify(spans())).not.toContain('hush');
  });

  test('is the current one in the handler, in log lines and for what it begins', async () => {
    let inside: unknown;
    service.http.router('/orders', async (_request, response) => {
      await service.telemetry.span({ name: 'work', operation: 'test' }, async () => {});
      inside = { traceId: service.telemetry.currentTraceId(), logged: currentContext().traceId };
      response.end();
    });
    await fetch(`${service.url}/orders`);
    const [request, work] = await ended(2);
    expect(work?.parent).toBe(request);
    expect(inside).toEqual({ traceId: request?.traceId, logged: request?.traceId });
    await eventually(() => service.logger.lines('info').some(line => line.message === 'GET /orders 200'));
    const line = service.logger.lines('info').find(({ message }) => message === 'GET /orders 200');
    expect(line?.context).toMatchObject({ traceId: request?.traceId });
  });

  test('continues the trace of its client', async () => {
    service.http.router('/orders', (_request, response) => void response.end());
    await fetch(`${service.url}/orders`, { headers: { traceparent } });
    expect(await ended()).toMatchObject([{ traceId, remoteParentId: spanId }]);
  });

  test('is an error with the code of the answer, captured once', async () => {
    const failure = new KeelsonError({ code: 'TEST_DOWN', message: 'No.', http: { status: 503, title: 'No' } });
    service.http.router('/orders', () => Promise.reject(failure));
    await fetch(`${service.url}/orders`);
    expect(await ended()).toMatchObject([{ name: 'GET /orders', status: 'error', errorKind: 'TEST_DOWN' }]);
    expect(service.telemetry.errors()).toMatchObject([{ error: failure, span: { name: 'GET /orders' } }]);
  });

  test('is neither ok nor an error when the client was wrong, which is not captured', async () => {
    const refusal = new KeelsonError({ code: 'TEST_WRONG', message: 'No.', http: { status: 422, title: 'No' } });
    service.http.router('/orders', () => Promise.reject(refusal));
    await fetch(`${service.url}/orders`);
    await fetch(`${service.url}/nowhere`);
    expect(await ended(2)).toMatchObject([
      { name: 'GET /orders', status: undefined, attributes: { 'http.response.status_code': 422 } },
      { name: 'GET', status: undefined, attributes: { 'http.response.status_code': 404 } },
    ]);
    expect(service.telemetry.errors()).toEqual([]);
  });

  test('says that the client has gone', async () => {
    const waiting = gate();
    service.http.router('/orders', async (_request, response) => {
      await waiting.pass();
      response.end();
    });
    const connection = await service.connect();
    connection.send('GET /orders HTTP/1.1\r\nHost: x\r\n\r\n');
    await waiting.arrived;
    connection.socket.destroy();
    expect(await ended()).toMatchObject([{ name: 'GET /orders', status: 'error', errorKind: 'HTTP_CLIENT_GONE' }]);
    waiting.open();
    expect(service.telemetry.errors()).toEqual([]);
  });

  test('says why an answer was cut in its middle', async () => {
    service.http.router('/cut', (_request, response) => {
      response.write('half');
      return Promise.reject(new RangeError('half-way'));
    });
    await fetch(`${service.url}/cut`)
      .then(response => response.text())
      .catch(() => {});
    expect(await ended()).toMatchObject([{ name: 'GET /cut', status: 'error', errorKind: 'RangeError' }]);
  });

  test('has a method of HTTP, or none', async () => {
    const connection = await service.connect();
    connection.send('PROPFIND /hush HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await connection.until(({ received }) => received.includes('404'));
    expect(await ended()).toMatchObject([{ name: '_OTHER' }]);
  });

  test('is not made for probes', async () => {
    service.http.router('/livez', (_request, response) => void response.end('alive'), { session: 'none' });
    expect((await fetch(`${service.url}/livez`, { headers: { traceparent } })).status).toBe(200);
    expect(spans()).toEqual([]);
  });
});

test('a server that anybody can reach begins each trace itself', async () => {
  service = await new Harness({ continueTraces: false }).ready();
  service.http.router('/orders', (_request, response) => void response.end());
  await fetch(`${service.url}/orders`, { headers: { traceparent } });
  const [span] = await ended();
  expect(span?.traceId).not.toBe(traceId);
  await service.stop();
});

test('silent telemetry is asked for nothing on the way of a request', async () => {
  const asked: PropertyKey[] = [];
  const telemetry = new Proxy(silentTelemetry, {
    get: (target, name) => {
      if (started) asked.push(name);
      return Reflect.get(target, name);
    },
  });
  let started = false;
  const { lifecycle } = new Harness();
  const config = httpOptions.parse({ port: 0, host: '127.0.0.1' });
  const server = createServer(config, {
    clock: systemClock,
    lifecycle,
    logger: new RecordingLogger(),
    telemetry,
  });
  server.router('/orders', (_request, response) => void response.end());
  await server.listen();
  server.letIn(undefined);
  lifecycle.move('ready');
  started = true;
  expect((await fetch(`${server.url}/orders`)).status).toBe(200);
  expect(asked).toEqual([]);
  await server.close();
});
