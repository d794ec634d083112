import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type {} from './global-setup.js';

export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  /** For the role `keelson`, who owns the database and is no superuser (with `TEST_DATABASE_URL`: for its role). */
  readonly url: string;
  /** The same database, for the role that created it. */
  readonly adminUrl: string;
}

/** Creates an empty database on the shared server; disposing drops it, and ends the connections to it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url: server, owner } = inject('databaseServer');
  const name = `test_${randomBytes(6).toString('hex')}`;
  // Copying the files takes half the time of logging their pages; on a server that syncs it would take a checkpoint.
  const terms = owner === undefined ? '' : ` owner ${owner.name} strategy file_copy`;
  await asAdmin(server, `create database ${name}${terms}`);
  return {
    name,
    url: urlOf(server, name, owner),
    adminUrl: urlOf(server, name),
    [Symbol.asyncDispose]: () => asAdmin(server, `drop database if exists ${name} with (force)`),
  };
}

function urlOf(server: string, database: string, role?: { name: string; password: string }): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  if (role !== undefined) {
    url.username = role.name;
    url.password = role.password;
  }
  return url.href;
}

async function asAdmin(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
