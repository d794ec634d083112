import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { runKeelson } from '@keelson/test-support/run-keelson';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** A driver of somebody else: a file that builds on the contract alone. */
const driver = (createDriver: string) => `
  import { databasePlugin } from '@keelson/database';
  import { PostgreSqlDriver } from '@mikro-orm/postgresql';
  import postgresql, { optionsSchema, PostgresqlDriver } from '@keelson/database-postgresql';
  const { slot, provides, optional, capabilities } = postgresql;
  export default databasePlugin({
    manifest: { name: 'my-driver', slot, provides, optional, capabilities, config: optionsSchema },
    ormDriver: PostgreSqlDriver,
    createDriver: ${createDriver},
  });`;

describe('keelson verify of a database driver', { timeout: 120_000 }, () => {
  let database: TestDatabase;
  let directory: string;

  beforeEach(async () => {
    database = await createTestDatabase();
    directory = await mkdtemp(fileURLToPath(new URL('../verify-', import.meta.url)));
  });

  afterEach(async () => {
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  async function verify(createDriver: string) {
    await writeFile(join(directory, 'my-driver.js'), driver(createDriver));
    const words = ['verify', './my-driver.js', '--set', `url=${database.url}`, '--set', 'pool.max=4'];
    return runKeelson(words, { directory });
  }

  async function query(sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query(sql).finally(() => client.end());
    return rows;
  }

  test('runs the suite of databases, names what the driver breaks, and leaves the database empty', async () => {
    const deaf = `(config, context) => {
      const made = new PostgresqlDriver(config, context);
      made.suspend = () => {};
      return made;
    }`;
    const { code, stdout } = await verify(deaf);
    expect(code).toBe(1);
    expect(stdout.match(/^FAIL .*/gm)).toEqual([
      'FAIL  lends nothing while it is suspended, and goes on when it is resumed',
    ]);
    expect(stdout).toMatch(/\nmy-driver: \d{2,3} passed, 1 failed, 11 not applicable\n$/);
    expect(await query(`select tablename from pg_tables where schemaname = 'public'`)).toEqual([]);
  });

  test('does nothing to a database that somebody uses', async () => {
    await query('create table customers (id integer)');
    const { code, stdout } = await verify('(config, context) => new PostgresqlDriver(config, context)');
    expect(code).toBe(1);
    expect(stdout).toContain('The database has a table of somebody else. Nothing was done.');
    expect(await query(`select tablename from pg_tables where schemaname = 'public'`)).toEqual([
      { tablename: 'customers' },
    ]);
  });
});
