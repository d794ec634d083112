import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Deadline, HttpClient, systemClock } from '@keelson/core';
import { createTestKernel } from '@keelson/core/testing';
import { expect, onTestFinished, test } from 'vitest';
import plugin from './index.js';

/** A server that fails `failures` times, and a client of it. */
async function calling(target: object = {}, failures = 0) {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    response.writeHead(seen.length > failures ? 200 : 503).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const values = { 'http-client': { targets: { prices: { baseUrl: url, ...target } } } };
  const kernel = await createTestKernel({ plugins: [plugin], values, clock: systemClock });
  onTestFinished(async () => {
    await kernel.stop();
    server.close();
  });
  const client = kernel.container.get(HttpClient);
  return { seen, url, client, prices: client.target('prices'), telemetry: kernel.telemetry };
}

test('a request is a span that its server can continue, without path and query', async () => {
  const { prices, telemetry, seen, url } = await calling();
  await telemetry.span({ name: 'work', operation: 'test' }, async () => {
    await prices?.fetch('/hush/7?token=hush', { headers: { authorization: 'hush' } });
  });
  const [work, call] = telemetry.spans();
  expect(call).toMatchObject({
    name: 'GET prices',
    operation: 'http.client',
    kind: 'client',
    status: 'ok',
    parent: work,
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(url).port),
      'peer.service': 'prices',
    },
  });
  expect(JSON.stringify(call)).not.toContain('hush');
  expect(seen).toMatchObject([{ traceparent: `00-${call?.traceId}-${call?.spanId}-01`, authorization: 'hush' }]);
});

test('a trace goes to targets that allow it, and to no other server', async () => {
  const { client, url, telemetry, seen } = await calling();
  const inside = (work: () => Promise<unknown>) => telemetry.span({ name: 'work', operation: 'test' }, work);
  await inside(() => client.fetch(`${url}/7`));
  expect(seen[0]).toHaveProperty('traceparent');
  const other = await calling({ propagateTrace: false });
  await other.telemetry.span({ name: 'work', operation: 'test' }, async () => {
    await other.prices?.fetch('/7');
    await other.client.fetch(`${other.url}/7`);
  });
  for (const headers of other.seen) expect(headers).not.toHaveProperty('traceparent');
  await inside(() => client.fetch(`${other.url}/7`));
  expect(other.seen[2]).not.toHaveProperty('traceparent');
});

test('a trace that the caller sends stays as it is', async () => {
  const { prices, telemetry, seen } = await calling();
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await telemetry.span({ name: 'work', operation: 'test' }, async () => {
    await prices?.fetch('/7', { headers: { traceparent } });
  });
  expect(seen[0]?.traceparent).toBe(traceparent);
});

test('a failed attempt is an error of its kind, with a breadcrumb', async () => {
  const { prices, telemetry } = await calling({}, 1);
  await prices?.fetch('/7', { deadline: Deadline.after(5_000, systemClock), method: 'POST' });
  expect(telemetry.spans()).toMatchObject([{ name: 'POST prices', status: 'error', errorKind: '503' }]);
  expect(telemetry.breadcrumbs('http.client')).toMatchObject([
    { facts: { target: 'prices', kind: '503', attempt: 1 } },
  ]);
});

test('suppressed work sends no trace along', async () => {
  const { prices, telemetry, seen } = await calling();
  await telemetry.span({ name: 'work', operation: 'test' }, async () => {
    await telemetry.suppress(() => prices?.fetch('/7'));
  });
  expect(seen[0]).not.toHaveProperty('traceparent');
  expect(telemetry.spans('GET prices')).toEqual([]);
});
