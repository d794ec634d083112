import type { DatabaseService } from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import { eventually } from '@keelson/test-support/eventually';
import { Author } from '@keelson/test-support/sample-model';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe('the body of a test inside withRollback', () => {
  let service: TestService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startTestService({ options: { pool: { max: 2 } } });
    database = service.database;
  });

  afterAll(() => service[Symbol.asyncDispose]());

  const add = (email: string, options = {}) => database.session(em => em.insert(Author, { email }), options);
  const stored = () => database.read(async em => (await em.find(Author, {})).map(({ email }) => email).toSorted());

  test('sees what it and the code it calls has stored, and no later reader does', async () => {
    const seen = await withRollback(database, async em => {
      em.create(Author, { email: 'own' });
      await em.flush();
      await add('joined');
      await database.transaction(inner => inner.insert(Author, { email: 'transaction' }));
      await database.batch([{ email: 'batch' }], async (inner, authors) => {
        await inner.insertMany(Author, [...authors]);
      });
      return stored();
    });
    expect(seen).toEqual(['batch', 'joined', 'own', 'transaction']);
    expect(await stored()).toEqual([]);
  });

  test('takes sessions that wish for a connection of their own in, as the units of repeatable handlers do', async () => {
    await withRollback(database, async () => {
      await add('separate', { nested: 'separate' });
      expect(await stored()).toEqual(['separate']);
    });
    expect(await stored()).toEqual([]);
  });

  test('goes on after a session in it has failed, without what that one did', async () => {
    await withRollback(database, async () => {
      await add('twice');
      await expect(add('twice')).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED' });
      const failing = database.session(async em => {
        await em.insert(Author, { email: 'taken back' });
        throw new Error('on purpose');
      });
      await expect(failing).rejects.toThrow('on purpose');
      expect(await stored()).toEqual(['twice']);
    });
  });

  test('is rolled back when it throws, and what it threw is thrown', async () => {
    const failing = withRollback(database, async () => {
      await add('lost');
      throw new Error('an expectation');
    });
    await expect(failing).rejects.toThrow('an expectation');
    expect(await stored()).toEqual([]);
    await eventually(() => expect(database.stats()).toMatchObject({ busy: 0, waiting: 0 }));
  });

  test('never reports a commit', async () => {
    const reported: string[] = [];
    await withRollback(database, async (_em, session) => {
      session.onCommit(() => void reported.push('committed'));
      session.onRollback(() => void reported.push('rolled back'));
    });
    expect(reported).toEqual(['rolled back']);
  });
});
