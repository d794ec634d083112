import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The price service: a real server, which answers as the test says. */
const asked: (string | undefined)[] = [];
let answer: RequestListener;
const prices = createServer((request, response) => {
  asked.push(request.url);
  answer(request, response);
});

let database: TestDatabase;
let service: ServiceProcess;

beforeAll(async () => {
  prices.listen(0, '127.0.0.1');
  await once(prices, 'listening');
  database = await createTestDatabase();
  const KEELSON_HTTP_CLIENT__TARGETS__PRICES__BASE_URL = `http://127.0.0.1:${(prices.address() as AddressInfo).port}/shop`;
  const variables = { KEELSON_ENV: 'postgres', DATABASE_URL: database.url };
  service = await startService({ variables: { ...variables, KEELSON_HTTP_CLIENT__TARGETS__PRICES__BASE_URL } });
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  prices.closeAllConnections();
  prices.close();
  await database?.[Symbol.asyncDispose]();
});

async function product(): Promise<string> {
  const sku = `sku-${randomUUID()}`;
  expect(await service.request('POST', '/products', { sku, stock: 3 })).toMatchObject({ status: 201 });
  asked.length = 0;
  return sku;
}

const json = (status: number, body: unknown): RequestListener => {
  return (_request, response) => void response.writeHead(status).end(JSON.stringify(body));
};

test('a product is shown with the price that the price service says, also after a reset connection', async () => {
  const sku = await product();
  answer = (request, response) => {
    if (asked.length === 1) request.socket.resetAndDestroy();
    else json(200, { amount: 1_990, currency: 'EUR' })(request, response);
  };
  const shown = await service.request('GET', `/products/${sku}`);
  expect(shown).toMatchObject({
    status: 200,
    body: { sku, stock: 3, unitPriceCents: 0, price: { amount: 1_990, currency: 'EUR' } },
  });
  expect(asked).toEqual([`/shop/prices/${sku}`, `/shop/prices/${sku}`]);
});

test.each([
  ['knows no price', json(404, {})],
  ['fails', json(500, {})],
  ['answers something else', json(200, { amount: 'much' })],
  ['does not answer', () => {}],
])('a product is shown without its price when the price service %s', async (_name, listener) => {
  const sku = await product();
  answer = listener;
  const shown = await service.request('GET', `/products/${sku}`);
  expect(shown.status).toBe(200);
  expect(shown.body).toEqual({ sku, stock: 3, unitPriceCents: 0, price: null });
});
