import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from './support/database.js';
import { eventually } from './support/eventually.js';
import { startService } from './support/service-process.js';

/** Long enough for the requests that are made while the service gives notice, on a busy machine. */
const noticeMs = 2_000;

test('SIGTERM fails readiness first, goes on serving, then closes, and lets a running request finish', async () => {
  await using database = await createTestDatabase();
  await using service = await startService({
    variables: {
      KEELSON_ENV: 'postgres',
      DATABASE_URL: database.url,
      KEELSON_SHUTDOWN__NOTICE_MS: String(noticeMs),
    },
  });
  await service.request('POST', '/products', { sku: 'mug', stock: 5 });
  await using lock = await lockedProduct(database.url, 'mug');

  const running = service.request('POST', '/orders', { sku: 'mug', quantity: 2 });
  await lock.isWaitedFor();
  service.kill('SIGTERM');

  await eventually(async () => expect((await service.request('GET', '/readyz')).status).toBe(503));
  expect(await service.request('GET', '/products/mug'), 'still serving').toMatchObject({ status: 200 });
  await eventually(() => expect(service.request('GET', '/livez')).rejects.toThrow(), { that: 'the port to be closed' });
  await lock.release();

  const { status, body: order } = await running;
  expect(status).toBe(201);
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(await lock.orders()).toEqual([order.id]);
}, 60_000);

/** Holds a row that an order needs, so that its request runs for as long as the test wants. */
async function lockedProduct(url: string, sku: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('begin');
  await client.query('select from products where sku = $1 for update', [sku]);
  return {
    isWaitedFor: () =>
      eventually(async () => {
        const { rowCount } = await client.query(
          "select from pg_locks where not granted and locktype = 'transactionid'",
        );
        expect(rowCount).toBe(1);
      }),
    release: () => client.query('commit'),
    orders: async () => (await client.query<{ id: string }>('select id from orders')).rows.map(({ id }) => id),
    [Symbol.asyncDispose]: () => client.end(),
  };
}
