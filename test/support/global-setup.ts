import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { guard, release } from './guardian.js';
import { preparePostgres } from './postgres-binaries.js';
import { applicationRole, createApplicationRole, type PostgresServer, startPostgres } from './postgres-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    databaseServer: SharedServer;
    /** A folder for what one test file makes and others use too; removed when the run ends. */
    sharedFolder: string;
  }
}

/** The PostgreSQL that all test files of a run share. */
export interface SharedServer {
  /** For a role that may create databases. */
  url: string;
  /** Who owns the databases made for tests: no superuser. Absent: the role of `url` does. */
  owner?: { name: string; password: string };
}

/** Makes what all test files share: a folder, and PostgreSQL, unless `TEST_DATABASE_URL` names one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-shared-'));
  guard(folder);
  project.provide('sharedFolder', folder);
  const server = await provideServer(project);
  return async () => {
    await server?.dispose();
    rmSync(folder, { recursive: true, force: true });
    release(folder);
  };
}

async function provideServer(project: TestProject): Promise<PostgresServer | undefined> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined && given !== '') {
    project.provide('databaseServer', { url: given });
    return undefined;
  }
  await preparePostgres();
  const server = await startPostgres({ settings: { max_connections: 200, deadlock_timeout: '100ms' } });
  await createApplicationRole(server);
  project.provide('databaseServer', { url: server.url, owner: applicationRole });
  return server;
}
