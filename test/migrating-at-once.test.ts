import { createTestDatabase } from '@keelson/test-support/database';
import { startService } from '@keelson/test-support/service-process';
import pg from 'pg';
import { expect, test } from 'vitest';

test('instances that start at once on an empty database migrate it once, and all of them serve', async () => {
  await using database = await createTestDatabase();
  const variables = { KEELSON_ENV: 'postgres', DATABASE_URL: database.url };

  const [one, two, three] = await Promise.all([1, 2, 3].map(() => startService({ variables })));
  if (one === undefined || two === undefined || three === undefined) throw new Error('bug: three were started');
  await using stop = new AsyncDisposableStack();
  for (const service of [one, two, three]) stop.use(service);

  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  stop.defer(() => client.end());
  const { rows } = await client.query('select name from mikro_orm_migrations order by id');
  expect(rows.map(({ name }) => name)).toEqual([
    'CreateProducts',
    'CreateOrders',
    'CreateIdempotencyKeys',
    'AddOrderLines',
    'AddPayments',
  ]);
  const applied = [one, two, three].map(({ stdout }) => stdout.includes('migrations applied'));
  expect(applied.toSorted()).toEqual([false, false, true]);
  expect(await one.request('POST', '/products', { sku: 'mug', stock: 1 })).toMatchObject({ status: 201 });
  expect(await two.request('POST', '/orders', { sku: 'mug', quantity: 1 })).toMatchObject({ status: 201 });
  expect(await three.request('GET', '/products/mug')).toMatchObject({ body: { stock: 0 } });
}, 60_000);
