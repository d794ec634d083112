import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';

export interface TestDatabaseOptions {
  /** A server whose role may create databases: `postgresql://user:password@localhost/postgres`. */
  readonly server: string;
  /** Makes the template, for example by its migrations, and closes every connection to it. Runs once for each key. */
  readonly prepare?: (url: string) => Promise<void>;
  /** What the template depends on, beside the source text of `prepare`: the names of migrations, for example. */
  readonly key?: string;
}

/** A database of one test file. Disposing of it drops it, and ends the connections to it. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
}

/**
 * Creates a database for a test file, as a copy of a template. The first call with a `prepare` and a `key` makes the template
 * `keelson_template_<hash>`, which stays on the server for all later calls of all processes; calls made meanwhile wait. The
 * hash is that of the source text of `prepare` and of `key`. Without both, the database is empty, and there is no template.
 *
 * @throws the error of PostgreSQL, and what `prepare` threw; then there is no template.
 */
export async function createTestDatabase(options: TestDatabaseOptions): Promise<TestDatabase> {
  const { server } = options;
  const name = `keelson_test_${randomBytes(6).toString('hex')}`;
  await using admin = await connect(server);
  const template = await templateOf(admin.client, options);
  await admin.client.query(`create database ${name}${template === undefined ? '' : ` template ${template}`}`);
  return {
    name,
    url: urlOf(server, name),
    async [Symbol.asyncDispose]() {
      await using last = await connect(server);
      await last.client.query(`drop database if exists ${name} with (force)`);
    },
  };
}

/** Returns the name of the template, which it makes when it is missing. */
async function templateOf(
  client: pg.Client,
  { server, prepare, key }: TestDatabaseOptions,
): Promise<string | undefined> {
  if (prepare === undefined && key === undefined) return undefined;
  const hash = createHash('sha256')
    .update(JSON.stringify([String(prepare), key]))
    .digest('hex')
    .slice(0, 16);
  const template = `keelson_template_${hash}`;
  const draft = `${template}_draft`;
  await client.query('select pg_advisory_lock(hashtext($1))', [template]);
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [template]);
    if (rowCount === 1) return template;
    // A process that has ended in the middle leaves a draft.
    await client.query(`drop database if exists ${draft} with (force)`);
    await client.query(`create database ${draft}`);
    await prepare?.(urlOf(server, draft));
    await client.query(`alter database ${draft} rename to ${template}`);
    return template;
  } finally {
    await client.query('select pg_advisory_unlock(hashtext($1))', [template]);
  }
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

async function connect(server: string): Promise<{ readonly client: pg.Client } & AsyncDisposable> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}
