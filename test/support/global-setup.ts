import type { TestProject } from 'vitest/node';
import { preparePostgres } from './postgres-binaries.js';
import { applicationRole, createApplicationRole, startPostgres } from './postgres-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    databaseServer: SharedServer;
  }
}

/** The PostgreSQL that all test files of a run share. */
export interface SharedServer {
  /** For a role that may create databases. */
  url: string;
  /** Who owns the databases made for tests: no superuser. Absent: the role of `url` does. */
  owner?: { name: string; password: string };
}

/** Starts what all test files share: PostgreSQL, unless `TEST_DATABASE_URL` names one. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined && given !== '') {
    project.provide('databaseServer', { url: given });
    return undefined;
  }
  await preparePostgres();
  const server = await startPostgres({ settings: { max_connections: 200, deadlock_timeout: '100ms' } });
  await createApplicationRole(server);
  project.provide('databaseServer', { url: server.url, owner: applicationRole });
  return () => server.dispose();
}
