import { randomUUID } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { migrations } from '../examples/orders/src/migrations/index.js';

let database: TestDatabase;
let client: pg.Client;
let service: PostgresqlService;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  service = await connectPostgresqlService({ url: database.url, models: [{ entities: [], migrations }] });
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await client?.end();
  await database?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await client.query('drop schema public cascade');
  await client.query('create schema public');
});

test('orders of one product become orders with one line, and go back, unless one has several lines', async () => {
  await service.database.migrate({ to: 'CreateIdempotencyKeys' });
  const [placed, cancelled] = [randomUUID(), randomUUID()];
  await client.query("insert into products values ('cup', 3), ('mug', 4)");
  const old = 'insert into orders (id, sku, quantity, status, created_at) values ($1, $2, $3, $4, $5)';
  await client.query(old, [placed, 'cup', 2, 'placed', '2026-01-01T00:00:00Z']);
  await client.query(old, [cancelled, 'mug', 7, 'cancelled', '2026-01-02T00:00:00Z']);
  const before = (await client.query('select id, sku, quantity, status, created_at from orders order by id')).rows;

  await service.database.migrate();

  const select = `select id, status, total_cents, payment_due_at, sku, position, quantity, unit_price_cents
    from orders join order_lines on order_id = id order by created_at, position`;
  const at = { total_cents: '0', payment_due_at: null, position: 1, unit_price_cents: 0 };
  expect((await client.query(select)).rows).toEqual([
    { id: placed, status: 'placed', sku: 'cup', quantity: 2, ...at },
    { id: cancelled, status: 'cancelled', sku: 'mug', quantity: 7, ...at },
  ]);

  await client.query("insert into order_lines values ($1, 2, 'mug', 1, 5)", [placed]);
  expect(await service.database.revert()).toBe('AddPayments');
  await expect(service.database.revert()).rejects.toMatchObject({ code: 'DATABASE_MIGRATION_FAILED' });
  expect((await client.query('select from order_lines')).rowCount).toBe(3);

  await client.query('delete from order_lines where position = 2');
  expect(await service.database.revert()).toBe('AddOrderLines');
  expect((await client.query('select id, sku, quantity, status, created_at from orders order by id')).rows).toEqual(
    before,
  );
});

test('a page of any filter is read from an index', async () => {
  await service.database.migrate();
  await client.query("insert into products (sku, stock) select 'p' || n, 1 from generate_series(1, 100) n");
  // Ids of version 7 with a time that grows.
  await client.query(`
    insert into orders (id, status, total_cents, created_at)
    select (lpad(to_hex(1700000000000 + n), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
      case n % 200 when 0 then 'cancelled' else 'placed' end, 0, now() from generate_series(1, 20000) n`);
  await client.query(`
    insert into order_lines select id, 1, 'p' || (1 + row_number() over () % 100), 1, 0 from orders`);
  await client.query('analyze orders, order_lines');
  const order = 'order by id desc limit 21';
  const id = "'018bcfe5-8000-7000-8000-000000000000'";
  const plans = {
    orders_pkey: `select * from orders where id < ${id} ${order}`,
    orders_by_status: `select * from orders where status = 'cancelled' and id < ${id} ${order}`,
    order_lines_by_product: `select * from orders o where exists (select from order_lines l where l.order_id = o.id and l.sku = 'p7') ${order}`,
  };
  for (const [index, sql] of Object.entries(plans)) {
    const { rows } = await client.query(`explain ${sql}`);
    const plan = rows.map(row => row['QUERY PLAN']).join('\n');
    expect(plan).toContain(index);
    expect(plan, plan).not.toMatch(/Seq Scan/);
  }
});
