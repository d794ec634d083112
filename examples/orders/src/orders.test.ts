import { randomUUID } from 'node:crypto';
import { HttpServer } from '@keelson/core';
import type { TestKernel } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import { RetryControl } from '@keelson/retry-opossum';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Order } from './orders/order.js';
import { OrderBook } from './orders/order-book.js';
import { Product } from './products/product.js';
import { send, startOrders } from './start-orders.fixture.js';

/** One service for the whole file: the first start of an embedded database takes seconds. */
let service: TestKernel;
let database: DatabaseService;

beforeAll(async () => {
  service = await startOrders({ values: { database: { session: { timeoutMs: 1_000 } } } });
  database = service.container.get(DatabaseService);
}, 180_000);

afterAll(() => service?.stop());

const get = (path: string) => send(service, 'GET', path);
const post = (path: string, body: unknown) => send(service, 'POST', path, body);

/** What a test stores is rolled back, so that each begins with an empty database. */
describe('the order book', () => {
  const place = (lines: readonly { sku: string; quantity: number }[]) =>
    database.transaction(em =>
      new OrderBook({ clock: service.clock, takesPayments: false }).place(em, lines, index => `/lines/${index}`),
    );

  test('takes the stock of an order, and keeps the prices of its time', () =>
    withRollback(database, async em => {
      const cup = em.create(Product, { sku: 'cup', stock: 5, unitPriceCents: 250 });
      const mug = em.create(Product, { sku: 'mug', stock: 5, unitPriceCents: 990 });
      await em.flush();

      const order = await place([
        { sku: 'cup', quantity: 2 },
        { sku: 'mug', quantity: 1 },
      ]);
      await em.refresh(cup);
      await em.refresh(mug);
      cup.unitPriceCents = 300;
      await em.flush();

      expect([cup.stock, mug.stock]).toEqual([3, 4]);
      expect(order.totalCents).toBe(1_490);
      expect(await em.count(Order)).toBe(1);
    }));

  test('takes nothing when a line fails, and names each that does', () =>
    withRollback(database, async em => {
      const cup = em.create(Product, { sku: 'cup', stock: 1 });
      await em.flush();

      const placing = place([
        { sku: 'none', quantity: 1 },
        { sku: 'cup', quantity: 2 },
      ]);

      await expect(placing).rejects.toMatchObject({
        code: 'ORDERS_PRODUCT_UNKNOWN',
        http: { status: 404, errors: [{ path: '/lines/0/sku' }, { path: '/lines/1/quantity' }] },
      });
      expect([cup.stock, await em.count(Order)]).toEqual([1, 0]);
    }));
});

/** Requests are committed, so each test has products of its own. */
async function product(stock: number, unitPriceCents = 0): Promise<string> {
  const sku = `sku-${randomUUID()}`;
  expect(await post('/products', { sku, stock, unitPriceCents })).toMatchObject({ status: 201 });
  return sku;
}

describe('over HTTP', () => {
  test('an order is placed and found', async () => {
    const sku = await product(5, 1_990);
    const placed = await post('/orders', { lines: [{ sku, quantity: 2 }] });
    expect(placed).toMatchObject({ status: 201, body: { status: 'placed', totalCents: 3_980 } });
    expect((await get(placed.headers.get('location') ?? '')).body).toEqual(placed.body);
    expect((await get(`/products/${sku}`)).body).toMatchObject({ stock: 3 });
  });

  test('all wrong fields are named at once', async () => {
    const { status, body } = await post('/orders', { lines: [{ sku: 'a b', quantity: 0 }] });
    expect(status).toBe(422);
    expect(body.errors.map(({ path }: { path: string }) => path)).toEqual(['/lines/0/sku', '/lines/0/quantity']);
  });

  test('an order that is sent again with its key is placed once', async () => {
    const sku = await product(5);
    const order = () =>
      fetch(`${service.container.get(HttpServer).url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `key-of-${sku}` },
        body: JSON.stringify({ sku, quantity: 1 }),
      });
    const [first, second] = [await order(), await order()];
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(await second.json()).toEqual(await first.json());
    expect((await get(`/products/${sku}`)).body).toMatchObject({ stock: 4 });
  });

  test('pages lead from one to the next', async () => {
    const sku = await product(3);
    for (const _each of [1, 2, 3]) await post('/orders', { sku, quantity: 1 });
    const first = await get(`/orders?product=${sku}&limit=2`);
    const [, path = ''] = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? [];
    const second = await get(path);
    expect([first.body.items.length, second.body.items.length, second.body.next]).toEqual([2, 1, null]);
  });

  test('the routes are described', async () => {
    const { body } = await get('/openapi.json');
    // Routes that are added to a copy do not break its test.
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining([
        '/orders',
        '/orders/batch',
        '/orders/{id}',
        '/orders/{id}/cancel',
        '/products',
        '/products/{sku}',
      ]),
    );
  });
});

describe('while the database is away', () => {
  test('a write waits, and succeeds when the database is back', async () => {
    database.suspend();
    const placed = post('/products', { sku: `sku-${randomUUID()}`, stock: 1 });
    await expect.poll(() => database.stats().waiting).toBe(1);
    database.resume();
    expect(await placed).toMatchObject({ status: 201 });
  });

  /** Held open, the breaker lets no call through: to the service, the database is away. */
  test('a request that cannot wait is a 503 with Retry-After, and nothing internal', async () => {
    const control = service.container.get(RetryControl);
    control.hold('database', 'open');
    const { status, headers, body } = await get('/orders');
    control.release('database');
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(JSON.stringify(body)).not.toMatch(/select|orders_|127\.0\.0\.1/);
  });
});
