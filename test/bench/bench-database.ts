import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { canMakeCertificates, makeCertificate } from '@keelson/test-support/certificates';
import { createCluster, postgresIdentity } from '@keelson/test-support/postgres-binaries';
import { applicationRole, type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
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
  // Only those who ask for it are encrypted.
  ssl: canMakeCertificates,
};

const databaseName = 'bench';

/** PostgreSQL with the tables of the bench. */
export class BenchDatabase implements AsyncDisposable {
  readonly url: string;
  readonly #server: PostgresServer;

  private constructor(server: PostgresServer, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(): Promise<BenchDatabase> {
    const server = await startPostgres({ settings, prepare });
    const database = new BenchDatabase(server, await server.createDatabase(databaseName));
    await execute(database.url, schema);
    return database;
  }

  /** Over TLS; the client checks the certificate and the name in it. */
  get encryptedUrl(): string {
    const url = new URL(this.url);
    url.hostname = certified;
    url.searchParams.set('sslmode', 'verify-full');
    url.searchParams.set('sslrootcert', join(this.#server.dataDirectory, 'server.crt'));
    return url.href;
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

  /**
   * A driver may leave the parameters of a url unread.
   *
   * @throws Error unless the connections of the services are all encrypted, or none of them is.
   */
  async assertEncryption(isEncrypted: boolean): Promise<void> {
    const others = await this.#server.query<{ pid: number }>(
      'select pid from pg_stat_ssl join pg_stat_activity using (pid) where usename = $1 and ssl <> $2',
      [applicationRole.name, isEncrypted],
    );
    if (others.length === 0) return;
    throw new Error(`${others.length} connections are ${isEncrypted ? 'not ' : ''}encrypted.`);
  }

  /** PostgreSQL ends at once and starts again. Resolves when the server accepts connections. */
  async crash(): Promise<void> {
    await this.#server.restart('immediate');
  }

  /** What is written so far need not be recovered after a crash. */
  async checkpoint(): Promise<void> {
    await this.#server.query('checkpoint');
  }

  async quantities(): Promise<string[]> {
    const rows = await this.#server.query<{ quantity: number }>('select quantity from orders', [], databaseName);
    return rows.map(({ quantity }) => String(quantity));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.dispose();
  }
}

/** The name in the certificate. */
const certified = 'localhost';

async function prepare(dataDirectory: string): Promise<void> {
  await createCluster(dataDirectory);
  if (!canMakeCertificates) return;
  makeCertificate(dataDirectory, 'server', { commonName: certified });
  const { uid, gid } = postgresIdentity;
  for (const file of ['server.crt', 'server.key'].map(name => join(dataDirectory, name))) {
    chmodSync(file, 0o600);
    if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
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
