import { randomUUID } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { lockProduct } from '@keelson/test-support/locked-product';
import { ordersOnFastify } from '@keelson/test-support/orders-on-fastify';
import { type Answer, type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** The same tests run once more with Fastify in the place of Express: one line of the configuration. */
const isFastify = process.env.KEELSON_TEST_SERVER === 'fastify';

let database: TestDatabase;
let service: ServiceProcess;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startService({
    variables: { KEELSON_ENV: 'postgres', DATABASE_URL: database.url },
    ...(isFastify && { directory: ordersOnFastify() }),
  });
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const get = (path: string) => service.request('GET', path);
const post = (path: string, body?: unknown) => service.request('POST', path, body);

/** A new product with `stock` pieces; resolves to its sku. */
async function product(stock: number, unitPriceCents = 0): Promise<string> {
  const sku = `sku-${randomUUID()}`;
  expect(await post('/products', { sku, stock, unitPriceCents })).toMatchObject({ status: 201 });
  return sku;
}

async function stockOf(sku: string): Promise<number> {
  return (await get(`/products/${sku}`)).body.stock;
}

/** The ids of all orders that `filter` lets through, page by page, as the header Link leads. */
async function allIds({
  limit = 100,
  filter = '',
  betweenPages = async (): Promise<unknown> => undefined,
} = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let path: string | undefined = `/orders?limit=${limit}${filter}`; path !== undefined; await betweenPages()) {
    const { status, body, headers } = await get(path);
    expect(status).toBe(200);
    ids.push(...body.items.map(({ id }: { id: string }) => id));
    path = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
    expect(path === undefined).toBe(body.next === null);
  }
  return ids;
}

function statuses(answers: readonly Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function expectProblem(answer: Answer, status: number): void {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer).toMatchObject({ status, body: { status, type: expect.stringContaining('urn:keelson:problem:') } });
}

function fieldsOf(answer: Answer): string[] {
  return answer.body.errors.map(({ path }: { path: string }) => path);
}

test('the API is served by the framework of the configuration', async () => {
  const { headers } = await get('/orders');
  expect(headers.has('etag'), 'Express alone puts an ETag on answers').toBe(!isFastify);
});

describe('a product', () => {
  test('is created, says where it is, and is found there', async () => {
    const sku = `sku-${randomUUID()}`;

    const created = await post('/products', { sku, stock: 3, unitPriceCents: 1_990 });

    expect(created).toMatchObject({ status: 201, body: { sku, stock: 3 } });
    const location = created.headers.get('location') ?? '';
    const found = await get(location);
    expect(found.status).toBe(200);
    expect(found.body).toEqual({ sku, stock: 3, unitPriceCents: 1_990 });
  });

  test('with a sku that is taken is refused, and changes nothing', async () => {
    const sku = await product(3);

    const refused = await post('/products', { sku, stock: 9 });
    expectProblem(refused, 409);
    expect(refused.body.type).toBe('urn:keelson:problem:ORDERS_SKU_TAKEN');
    expect(await stockOf(sku)).toBe(3);
  });

  test('that does not exist is a 404', async () => {
    expectProblem(await get('/products/none'), 404);
  });
});

describe('an order', () => {
  test('is placed, takes its stock, says where it is, and is found there', async () => {
    const sku = await product(5, 1_990);

    const placed = await post('/orders', { sku, quantity: 2 });

    expect(placed.status).toBe(201);
    expect(Object.keys(placed.body).sort()).toEqual(['createdAt', 'id', 'lines', 'status', 'totalCents']);
    expect(placed.body).toMatchObject({
      status: 'placed',
      lines: [{ sku, quantity: 2, unitPriceCents: 1_990 }],
      totalCents: 3_980,
    });
    expect(Math.abs(Date.parse(placed.body.createdAt) - Date.now())).toBeLessThan(60_000);
    const location = placed.headers.get('location') ?? '';
    expect(location).toBe(`/orders/${placed.body.id}`);
    expect(await get(location)).toMatchObject({ status: 200, body: placed.body });
    expect(await stockOf(sku)).toBe(3);
  });

  test('for more than there is in stock is refused, and takes nothing', async () => {
    const sku = await product(1);

    const refused = await post('/orders', { sku, quantity: 2 });

    expectProblem(refused, 409);
    expect(fieldsOf(refused)).toEqual(['/quantity']);
    expect(await stockOf(sku)).toBe(1);
  });

  test('has lines, in their order, with the prices of that time and their exact sum', async () => {
    const skus = await Promise.all([product(10_000, 100_000_000), product(5, 10), product(5, 20)]);
    const lines = skus.map((sku, index) => ({ sku, quantity: [10_000, 1, 1][index] })).toReversed();

    const { status, body, headers } = await post('/orders', { lines });

    expect(status).toBe(201);
    expect(body.lines.map(({ sku, quantity }: { sku: string; quantity: number }) => ({ sku, quantity }))).toEqual(
      lines,
    );
    expect(body.totalCents).toBe(1_000_000_000_030);
    expect((await get(headers.get('location') ?? '')).body).toEqual(body);
    expect(await Promise.all(skus.map(stockOf))).toEqual([0, 4, 4]);
  });

  test('takes nothing when one of its lines fails, and names each that does', async () => {
    const [one, two] = [await product(5), await product(1)];

    const refused = await post('/orders', {
      lines: [
        { sku: one, quantity: 5 },
        { sku: two, quantity: 2 },
        { sku: 'none', quantity: 1 },
      ],
    });

    expectProblem(refused, 404);
    expect(fieldsOf(refused)).toEqual(['/lines/2/sku', '/lines/1/quantity']);
    expect([await stockOf(one), await stockOf(two)]).toEqual([5, 1]);
  });

  test('of an unknown product is a 404', async () => {
    expectProblem(await post('/orders', { sku: 'none', quantity: 1 }), 404);
  });

  test('of the last pieces goes to as many as there are pieces, however many ask at once', async () => {
    const sku = await product(7);

    const answers = await Promise.all(Array.from({ length: 40 }, () => post('/orders', { sku, quantity: 1 })));

    expect(statuses(answers)).toEqual({ 201: 7, 409: 33 });
    expect(await stockOf(sku)).toBe(0);
  });

  test('that does not exist, or whose id has another form, is a 404', async () => {
    expectProblem(await get(`/orders/${randomUUID()}`), 404);
    expectProblem(await get('/orders/17'), 404);
    expectProblem(await post('/orders/17/cancel'), 404);
    expectProblem(await post(`/orders/${randomUUID()}/cancel`), 404);
  });
});

describe('cancelling an order', () => {
  test('gives the stock back', async () => {
    const sku = await product(5);
    const { body: order } = await post('/orders', { sku, quantity: 2 });

    const cancelled = await post(`/orders/${order.id}/cancel`);

    expect(cancelled).toMatchObject({ status: 200, body: { ...order, status: 'cancelled' } });
    expect(cancelled.body.lines).toHaveLength(1);
    expect(await get(`/orders/${order.id}`)).toMatchObject({ body: { status: 'cancelled' } });
    expect(await stockOf(sku)).toBe(5);
  });

  test('twice is refused, and gives the stock back once', async () => {
    const sku = await product(5);
    const { body: order } = await post('/orders', { sku, quantity: 2 });
    await post(`/orders/${order.id}/cancel`);

    expectProblem(await post(`/orders/${order.id}/cancel`), 409);
    expect(await stockOf(sku)).toBe(5);
  });

  test('succeeds once when many do it at once', async () => {
    const sku = await product(5);
    const { body: order } = await post('/orders', { sku, quantity: 2 });

    const answers = await Promise.all(Array.from({ length: 20 }, () => post(`/orders/${order.id}/cancel`)));

    expect(statuses(answers)).toEqual({ 200: 1, 409: 19 });
    expect(await stockOf(sku)).toBe(5);
  });
});

describe('a batch', () => {
  test('places all of its orders', async () => {
    const [one, two] = [await product(5), await product(5)];

    const placed = await post('/orders/batch', {
      orders: [
        { sku: one, quantity: 1 },
        { sku: two, quantity: 2 },
        { sku: one, quantity: 4 },
      ],
    });

    expect(placed).toMatchObject({ status: 201, body: { created: 3 } });
    expect([await stockOf(one), await stockOf(two)]).toEqual([0, 3]);
  });

  test('may hold 1,000 orders, and no more', async () => {
    const sku = await product(2_000);
    const orders = (count: number) => Array.from({ length: count }, () => ({ sku, quantity: 1 }));

    expect(await post('/orders/batch', { orders: orders(1_000) })).toMatchObject({ body: { created: 1_000 } });
    expectProblem(await post('/orders/batch', { orders: orders(1_001) }), 422);
    expect(await stockOf(sku)).toBe(1_000);
  });

  test('places none when one has too little stock, and names that one', async () => {
    const [one, two] = [await product(5), await product(5)];

    const refused = await post('/orders/batch', {
      orders: [
        { sku: one, quantity: 3 },
        { sku: two, quantity: 1 },
        { sku: one, quantity: 3 },
      ],
    });

    expectProblem(refused, 409);
    expect(fieldsOf(refused)).toEqual(['/orders/2/quantity']);
    expect([await stockOf(one), await stockOf(two)]).toEqual([5, 5]);
  });

  test('places none when a product is unknown, and names each that is wrong', async () => {
    const sku = await product(1);

    const refused = await post('/orders/batch', {
      orders: [
        { sku: 'none', quantity: 1 },
        { sku, quantity: 1 },
        { sku, quantity: 1 },
      ],
    });

    expectProblem(refused, 404);
    expect(fieldsOf(refused)).toEqual(['/orders/0/sku', '/orders/2/quantity']);
    expect(await stockOf(sku)).toBe(1);
  });

  test.each([
    ['/orders/batch', 'orders'],
    ['/orders', 'lines'],
  ])('locks products in the order of their skus, so that two never wait for each other: %s', async (path, field) => {
    // A scan would come upon them the other way round.
    const [last, first] = [`z-${randomUUID()}`, `a-${randomUUID()}`];
    await post('/products', { sku: last, stock: 1 });
    await post('/products', { sku: first, stock: 1 });
    await using lock = await lockProduct(database.url, first);

    const lines = [last, first].map(sku => ({ sku, quantity: 1 }));
    const placed = post(path, { [field]: lines });
    await lock.isWaitedFor();

    await lock.lockToo(last);
    await lock.release();
    expect(await placed).toMatchObject({ status: 201 });
  });

  test('gets through beside many others that order the same products the other way round', async () => {
    const skus = await Promise.all([product(1_000), product(1_000), product(1_000)]);
    const forwards = skus.map(sku => ({ sku, quantity: 1 }));
    const backwards = forwards.toReversed();

    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => post('/orders/batch', { orders: index % 2 ? forwards : backwards })),
    );

    expect(statuses(answers)).toEqual({ 201: 30 });
    expect(await Promise.all(skus.map(stockOf))).toEqual([970, 970, 970]);
  });

  test('gets through beside orders of many lines, and cancellations of them', async () => {
    const skus = await Promise.all([product(1_000), product(1_000), product(1_000)]);
    const lines = skus.map(sku => ({ sku, quantity: 1 }));
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const { body: order } = await post('/orders', { lines: index % 2 ? lines : lines.toReversed() });
        return post(`/orders/${order.id}/cancel`);
      }),
    );

    expect(statuses(answers)).toEqual({ 200: 20 });
    expect(await Promise.all(skus.map(stockOf))).toEqual([1_000, 1_000, 1_000]);
  });
});

describe('the list of orders', () => {
  test('goes through all of them, newest first, while new ones come in', async () => {
    const sku = await product(1_000);
    await post('/orders/batch', { orders: Array.from({ length: 7 }, () => ({ sku, quantity: 1 })) });
    const before = await allIds();

    const seen = await allIds({ limit: 100, betweenPages: () => post('/orders', { sku, quantity: 1 }) });

    expect(seen.slice(0, before.length)).toEqual(before);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.toSorted().toReversed()).toEqual(seen);
  });

  test('has no next page when it holds exactly what is left', async () => {
    const sku = await product(4);
    for (const _order of [1, 2, 3, 4]) await post('/orders', { sku, quantity: 1 });

    const first = await get(`/orders?product=${sku}&limit=2`);
    const second = await get(`/orders?product=${sku}&limit=2&after=${first.body.next}`);

    expect([first.body.items.length, second.body.items.length, second.body.next]).toEqual([2, 2, null]);
  });

  test('shows the orders of one product, of one state, and of a range of time', async () => {
    const [one, two] = [await product(10), await product(10)];
    const place = async (lines: readonly object[]) => (await post('/orders', { lines })).body;
    const first = await place([{ sku: one, quantity: 1 }]);
    const both = await place([
      { sku: two, quantity: 1 },
      { sku: one, quantity: 1 },
    ]);
    const gone = await place([{ sku: one, quantity: 1 }]);
    await post(`/orders/${gone.id}/cancel`);
    const of = (filter: string) => allIds({ limit: 1, filter: `&product=${one}${filter}` });

    expect(await allIds({ filter: `&product=${two}` })).toEqual([both.id]);
    expect(new Set(await of(''))).toEqual(new Set([gone.id, both.id, first.id]));
    expect(await of('&status=cancelled')).toEqual([gone.id]);
    expect(new Set(await of('&status=placed'))).toEqual(new Set([both.id, first.id]));
    expect(await of(`&until=${first.createdAt}`)).toEqual([]);
    expect(new Set(await of(`&since=${first.createdAt}`))).toEqual(new Set([gone.id, both.id, first.id]));
    const after = new Date(Date.parse(gone.createdAt) + 1).toISOString();
    expect(await of(`&since=${after}`)).toEqual([]);
    expect(new Set(await of(`&since=${first.createdAt}&until=${after}`))).toEqual(
      new Set([gone.id, both.id, first.id]),
    );
    expect(
      (await get(`/orders?product=${one}&status=placed&limit=1&since=${first.createdAt}`)).body.next,
    ).not.toBeNull();
  });

  test.each([
    ['limit=1&status=open', ['/status']],
    ['product=a%20b', ['/product']],
    ['since=yesterday&until=2026-01-01', ['/since', '/until']],
    ['since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', ['/until']],
    ['page=2', ['/page']],
  ])('refuses %s', async (query, fields) => {
    const refused = await get(`/orders?${query}`);

    expectProblem(refused, 422);
    expect(fieldsOf(refused)).toEqual(fields);
  });

  test.each(['limit=0', 'limit=101', 'limit=1.5', 'limit=many', 'limit=', 'limit=1&limit=2'])(
    'refuses %s',
    async query => {
      const refused = await get(`/orders?${query}`);

      expectProblem(refused, 422);
      expect(fieldsOf(refused)).toEqual(['/limit']);
    },
  );

  test.each(['17', randomUUID(), 'a'.repeat(23)])('refuses an "after" that no page has given out: %s', async after => {
    const refused = await get(`/orders?after=${after}`);

    expectProblem(refused, 422);
    expect(fieldsOf(refused)).toEqual(['/after']);
  });
});

describe('input that is wrong', () => {
  test.each([
    ['/products', {}, ['/sku', '/stock']],
    ['/products', { sku: 'a b', stock: -1 }, ['/sku', '/stock']],
    ['/products', { sku: 'a', stock: 1, 'co/lor': 'red' }, ['/co~1lor']],
    ['/products', { sku: 17, stock: '3' }, ['/sku', '/stock']],
    ['/products', undefined, ['']],
    ['/products', [], ['']],
    ['/orders', { sku: '', quantity: 0 }, ['/sku', '/quantity']],
    ['/orders', { sku: 'a', quantity: 10_001 }, ['/quantity']],
    ['/orders', { sku: 'a', quantity: 1.5 }, ['/quantity']],
    ['/orders', {}, ['/sku', '/quantity']],
    ['/orders', [], ['']],
    ['/orders', undefined, ['']],
    ['/orders', { sku: 'a b' }, ['/sku', '/quantity']],
    ['/orders', { lines: [] }, ['/lines']],
    ['/orders', { lines: [{ sku: 'a', quantity: 1 }], quantity: 2 }, ['/lines']],
    [
      '/orders',
      { lines: [{ sku: 'a b', quantity: 0 }, { sku: 'b' }] },
      ['/lines/0/sku', '/lines/0/quantity', '/lines/1/quantity'],
    ],
    [
      '/orders',
      {
        lines: [
          { sku: 'a', quantity: 1 },
          { sku: 'a', quantity: 2 },
        ],
      },
      ['/lines/1/sku'],
    ],
    ['/orders', { lines: Array(101).fill({ sku: 'a', quantity: 1 }) }, ['/lines']],
    ['/products', { sku: 'a', stock: 1, unitPriceCents: 0.5 }, ['/unitPriceCents']],
    ['/orders/batch', {}, ['/orders']],
    ['/orders/batch', { orders: [] }, ['/orders']],
    [
      '/orders/batch',
      { orders: [{ sku: 'a', quantity: 1 }, { quantity: 'x' }] },
      ['/orders/1/sku', '/orders/1/quantity'],
    ],
  ])('has one entry for each field: POST %s %j', async (path, body, fields) => {
    const refused = await post(path, body);

    expectProblem(refused, 422);
    expect(fieldsOf(refused)).toEqual(fields);
  });

  test('is a 400 when it is not JSON', async () => {
    expectProblem(await post('/orders', '{"sku": '), 400);
  });

  test('is a 413 when it is too large', async () => {
    expectProblem(await post('/orders', { sku: 'a'.repeat(200_000), quantity: 1 }), 413);
  });

  test('is a 404 when no route answers it', async () => {
    expectProblem(await get('/nowhere'), 404);
    expectProblem(await service.request('DELETE', '/orders'), 404);
  });
});
