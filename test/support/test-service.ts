import { createTestDatabase, type TestDatabase } from './database.js';
import {
  connectPostgresqlService,
  type PostgresqlService,
  type PostgresqlServiceOptions,
} from './postgresql-service.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

type Given = Omit<PostgresqlServiceOptions, 'url'>;

/** Disposing it disposes all that it has. */
export interface TestService extends PostgresqlService {
  readonly testDatabase: TestDatabase;
}

export interface ProxiedService extends TestService {
  readonly proxy: TcpProxy;
}

/** Starts a service, connected and migrated, on a database of its own. */
export async function startTestService(given: Given = {}): Promise<TestService> {
  await using parts = new AsyncDisposableStack();
  const testDatabase = parts.use(await createTestDatabase());
  return { testDatabase, ...(await start(testDatabase.url, given, parts)) };
}

/** Starts the same behind a proxy. */
export async function startProxiedService(given: Given = {}): Promise<ProxiedService> {
  await using parts = new AsyncDisposableStack();
  const testDatabase = parts.use(await createTestDatabase());
  const proxy = parts.use(await startTcpProxy({ to: testDatabase.url }));
  return { testDatabase, proxy, ...(await start(proxy.url(), given, parts)) };
}

async function start(url: string, given: Given, parts: AsyncDisposableStack): Promise<PostgresqlService> {
  const service = parts.use(await connectPostgresqlService({ url, ...given }));
  await service.database.migrate();
  const ending = parts.move();
  return { ...service, [Symbol.asyncDispose]: () => ending.disposeAsync() };
}

/** Migrates the database at `url`, for services that start later. */
export async function migrateDatabase(url: string, given: Given = {}): Promise<void> {
  await using service = await connectPostgresqlService({ url, ...given });
  await service.database.migrate();
}
