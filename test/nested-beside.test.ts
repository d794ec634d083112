import type { DatabaseService } from '@keelson/database';
import { Author } from '@keelson/test-support/sample-model';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('work beside other work of the same session', () => {
  let service: TestService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startTestService();
    database = service.database;
  });

  afterAll(() => service[Symbol.asyncDispose]());

  test('has an error that names the nested session that has undone it', async () => {
    const work = database.session(async em => {
      const inserted = Promise.withResolvers<void>();
      const failing = database.transaction(async inner => {
        await inner.insert(Author, { email: 'failing@example.org' });
        inserted.resolve();
        await inner.execute('select pg_sleep(0.1)');
        throw new Error('refused by the work');
      });
      await inserted.promise;
      await Promise.allSettled([failing, em.insert(Author, { email: 'beside@example.org' })]);
    });
    const at = expect.stringMatching(/nested-beside\.test\.ts:20/);
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_WORK_UNDONE', facts: { at } });
  });
});
