import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { definePlugin, HttpClient, type HttpRequestOptions, Kernel } from '@keelson/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** A server that is down for its first `failures` requests. */
let failures: number;
let requests: number;
const server = createServer((request, response) => {
  if (++requests <= failures) request.socket.resetAndDestroy();
  else response.end(request.url);
});
let baseUrl: string;
let kernel: Kernel | undefined;

beforeEach(async () => {
  failures = requests = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/shop`;
});

afterEach(async () => {
  await kernel?.stop();
  kernel = undefined;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** What a service does with its client, whichever plugin fills the slot. */
async function askStock(): Promise<string> {
  const response = await kernel?.container.get(HttpClient).target('stock')?.fetch('/stock/17');
  return response === undefined ? 'no client to ask' : response.text();
}

const policies = { default: { maxAttempts: 4, initialDelayMs: 5, maxDelayMs: 5 } };

async function start(retry: object, client: object): Promise<void> {
  const targets = { stock: { baseUrl } };
  const config = { service: 'swapped', plugins: { retry, 'http-client': { targets, ...client } } };
  kernel = await Kernel.start({ config, variables: {}, directory: import.meta.dirname });
}

describe.each(['@keelson/retry-opossum', '@keelson/retry-cockatiel'])('the same client with %s', use => {
  test('comes through a short failure of its target', async () => {
    failures = 2;
    await start({ use, policies }, { use: '@keelson/http-client' });
    expect(await askStock()).toBe('/shop/stock/17');
    expect(requests).toBe(3);
  });
});

test('the same client without a retry policy fails at the first failure', async () => {
  failures = 1;
  await start({ use: 'none' }, { use: '@keelson/http-client' });
  await expect(askStock()).rejects.toThrow('fetch failed');
  expect(await askStock()).toBe('/shop/stock/17');
});

test('the same service with a client of its own asks through that', async () => {
  const own = definePlugin({
    name: 'own-client',
    slot: 'http-client',
    provides: [HttpClient],
    register({ bind }) {
      const ask = (path: string, options?: HttpRequestOptions) => fetch(`${baseUrl}/own${path}`, options);
      const target = (name: string) => ({ name, fetch: ask });
      bind(HttpClient).toConstantValue({ fetch: (input, options) => fetch(input, options), target });
    },
  });
  const config = { service: 'swapped', plugins: { 'http-client': {} } };
  kernel = await Kernel.start({ config, variables: {}, plugins: { 'http-client': own } });
  expect(await askStock()).toBe('/shop/own/stock/17');
});

test('a service that requires a client does not hold without one, and the plan says so', async () => {
  const needy = definePlugin({ name: 'needy', requires: [HttpClient] });
  const config = { service: 'swapped', plugins: { 'http-client': { use: 'none' }, needy: {} } };
  const { problems } = await Kernel.plan({ config, variables: {}, plugins: { needy } });
  expect(problems).toMatchObject([{ code: 'PLAN_REQUIREMENT_MISSING' }]);
});
