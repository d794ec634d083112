import type { DatabaseService } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author } from '@keelson/test-support/sample-model';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('work beside other work of the same session', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    service = createPostgresqlService({ url: testDatabase.url });
    database = service.database;
    await database.connect();
    await database.migrate();
  });

  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });

  test('has an error that names the nested session that has undone it', async () => {
    const work = database.session(async em => {
      const begun = Promise.withResolvers<void>();
      const failing = database.transaction(async inner => {
        await inner.insert(Author, { email: 'failing@example.org' });
        begun.resolve();
        await inner.execute('select pg_sleep(0.1)');
        throw new Error('refused by the work');
      });
      await begun.promise;
      await Promise.allSettled([failing, em.insert(Author, { email: 'beside@example.org' })]);
    });
    const at = expect.stringMatching(/nested-beside\.test\.ts:28/);
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_WORK_UNDONE', facts: { at } });
  });
});
