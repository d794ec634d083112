import { conformanceModel, type DatabaseHarness } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlServiceOptions } from '@keelson/test-support/postgresql-service';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll } from 'vitest';

/** Makes the harnesses of the tests around it: they share a service, and further ones have databases of their own. */
export function harnessOf(given: Pick<PostgresqlServiceOptions, 'options' | 'wrap'>): () => DatabaseHarness {
  let shared: TestService;
  beforeAll(async () => {
    shared = await startTestService({ ...given, models: [conformanceModel] });
  });
  afterAll(() => shared[Symbol.asyncDispose]());
  return () => {
    const further: TestDatabase[] = [];
    return {
      database: shared.database,
      async open({ count, models }) {
        const { url } = further[further.push(await createTestDatabase()) - 1] ?? shared.testDatabase;
        return Array.from({ length: count }, () => createPostgresqlService({ ...given, url, models }).database);
      },
      async close() {
        for (const database of further) await database[Symbol.asyncDispose]();
      },
    };
  };
}
