import { startPostgres } from '@keelson/test-support/postgres-server';
import pg from 'pg';
import { productCount } from './requests.js';

/** The tables of all services, and rows to begin with. */
export const schema = `
  create table products (
    id integer primary key,
    sku text not null,
    name text not null,
    price_cents integer not null,
    stock integer not null check (stock >= 0),
    updated_at timestamptz not null
  );
  create table orders (
    id uuid primary key,
    product_id integer not null references products,
    quantity integer not null,
    created_at timestamptz not null
  );
  insert into products
    select id, 'sku-' || id, 'Product number ' || id, 100 * id, 1000000000, '2026-01-01T00:00:00Z'
    from generate_series(1, ${productCount}) as id;
  analyze products`;

const settings = {
  max_connections: 200,
  shared_buffers: '128MB',
  // Their work would fall into the time of whichever service is measured then; `refresh` does what is needed.
  autovacuum: false,
  checkpoint_timeout: '1h',
  max_wal_size: '2GB',
};

/** PostgreSQL with the tables of the bench. */
export class BenchDatabase implements AsyncDisposable {
  readonly url: string;
  readonly #server: Awaited<ReturnType<typeof startPostgres>>;

  private constructor(server: Awaited<ReturnType<typeof startPostgres>>, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(): Promise<BenchDatabase> {
    const server = await startPostgres({ settings });
    const database = new BenchDatabase(server, await server.createDatabase('bench'));
    await execute(database.url, schema);
    return database;
  }

  /** Of the postmaster. */
  get pid(): number {
    if (this.#server.pid === undefined) throw new Error('PostgreSQL has ended');
    return this.#server.pid;
  }

  async version(): Promise<string> {
    const [row] = await this.#server.query<{ server_version: string }>('show server_version');
    return row?.server_version ?? 'unknown';
  }

  /** As it was at the beginning, so that no measurement pays for the rows of those before. */
  async refresh(): Promise<void> {
    await execute(this.url, 'truncate orders');
    await execute(this.url, 'vacuum analyze products');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.dispose();
  }
}

export async function execute(databaseUrl: string, statements: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(statements);
  } finally {
    await client.end();
  }
}
