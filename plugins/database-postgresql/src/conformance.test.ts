import { conformanceModel, type DatabaseHarness, databaseConformance } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe.each(['auto', 'token'] as const)(
  'PostgreSQL keeps the promises of a database driver, proof: %s',
  commitProof => {
    const options = { commitProof };
    let testDatabase: TestDatabase;
    let shared: PostgresqlService;

    beforeAll(async () => {
      testDatabase = await createTestDatabase();
      shared = createPostgresqlService({ url: testDatabase.url, options, models: [conformanceModel] });
      await shared.database.connect();
      await shared.database.migrate();
    });

    afterAll(async () => {
      await shared[Symbol.asyncDispose]();
      await testDatabase[Symbol.asyncDispose]();
    });

    const harness = (): DatabaseHarness => {
      const further: TestDatabase[] = [];
      return {
        database: shared.database,
        async open({ count, models }) {
          const { url } = further[further.push(await createTestDatabase()) - 1] ?? testDatabase;
          return Array.from({ length: count }, () => createPostgresqlService({ url, options, models }).database);
        },
        async close() {
          for (const database of further) await database[Symbol.asyncDispose]();
        },
      };
    };

    for (const { name, run, lacks } of databaseConformance(harness)) {
      test(name, async () => {
        expect(await run()).toBe(lacks === undefined ? 'passed' : 'not-applicable');
      });
    }
  },
);
