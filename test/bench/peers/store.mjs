// The statements of the two peers that use pg by hand. Named, so that each connection prepares each of them once.
import { randomUUIDv7 } from 'node:crypto';
import pg from 'pg';
import { settings } from './settings.mjs';

export const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: settings.poolMax });
pool.on('error', () => {});

const columns = 'id, sku, name, price_cents as "priceCents", stock, updated_at as "updatedAt"';

const statements = {
  find: { name: 'find', text: `select ${columns} from products where id = $1` },
  list: { name: 'list', text: `select ${columns} from products order by id limit $1` },
  take: { name: 'take', text: 'update products set stock = stock - $2 where id = $1 and stock >= $2' },
  insert: { name: 'insert', text: 'insert into orders (id, product_id, quantity, created_at) values ($1, $2, $3, $4)' },
  insertAll: {
    name: 'insert-all',
    text: `insert into orders (id, product_id, quantity, created_at)
      select * from unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[])`,
  },
};

export async function findProduct(id) {
  const { rows } = await pool.query({ ...statements.find, values: [Number(id)] });
  return rows[0];
}

export async function listProducts(limit) {
  const { rows } = await pool.query({ ...statements.list, values: [Number(limit)] });
  return rows;
}

/** Undefined when there is not enough in stock. */
export async function placeOrder({ productId, quantity }) {
  const client = await pool.connect();
  let failure;
  try {
    await client.query('begin');
    const { rowCount } = await client.query({ ...statements.take, values: [productId, quantity] });
    const order = { id: randomUUIDv7(), productId, quantity, createdAt: new Date() };
    if (rowCount === 1) {
      await client.query({ ...statements.insert, values: [order.id, productId, quantity, order.createdAt] });
    }
    await client.query(rowCount === 1 ? 'commit' : 'rollback');
    return rowCount === 1 ? order : undefined;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    client.release(failure);
  }
}

/** One statement, so that it needs no transaction. */
export async function placeBatch(lines) {
  const createdAt = new Date();
  const values = [
    lines.map(() => randomUUIDv7()),
    lines.map(line => line.productId),
    lines.map(line => line.quantity),
    lines.map(() => createdAt),
  ];
  await pool.query({ ...statements.insertAll, values });
  return { created: lines.length };
}
