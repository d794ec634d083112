import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

describe('no statement is prepared while its transaction changes what names mean', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let database: DatabaseService;
  const find = 'select * from thing where id = ?';

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    service = await connectPostgresqlService({ url: testDatabase.url, options: { pool: { max: 1 } } });
    database = service.database;
    await database.session(em => em.execute('create table thing (id int, name text)'));
    await database.session(em => em.execute("insert into thing values (1, 'kept')"));
    for (let uses = 0; uses < 3; uses++) await database.session(em => em.execute(find, [1]));
  });

  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });

  /** The names found before and after `change`, and in how many attempts. */
  async function around(change: (em: EntityManager) => Promise<unknown>) {
    let attempts = 0;
    const names = await database.session(async em => {
      attempts += 1;
      const before = await em.execute<{ name: string }[]>(find, [1]);
      await change(em);
      return [before, await em.execute<{ name: string }[]>(find, [1])].map(rows => rows.map(({ name }) => name));
    });
    return { names, attempts };
  }

  test('a temporary table hides another: the statement reads it, also where the connection had one before', async () => {
    const hide = (em: EntityManager) => em.execute('create temp table thing (id int, name text) on commit drop');
    expect(await around(hide)).toEqual({ names: [['kept'], []], attempts: 1 });
    expect(await around(hide)).toEqual({ names: [['kept'], []], attempts: 1 });
    expect(await around(async () => {})).toEqual({ names: [['kept'], ['kept']], attempts: 1 });
  });

  test('a table is dropped and made again with other columns', async () => {
    const replace = async (em: EntityManager) => {
      await em.execute('drop table thing');
      await em.execute('create table thing (id int, name text, rank int)');
      await em.execute("insert into thing values (1, 'new')");
    };
    expect(await around(replace)).toEqual({ names: [['kept'], ['new']], attempts: 1 });
    expect(await around(async () => {})).toEqual({ names: [['new'], ['new']], attempts: 1 });
  });

  test('a savepoint takes back what was changed in it', async () => {
    const alterInVain = async () => {
      const altered = database.transaction(async em => {
        await em.execute('alter table thing add column more int');
        await em.execute(find, [1]);
        throw new Error('in vain');
      });
      await expect(altered).rejects.toThrow('in vain');
    };
    expect(await around(alterInVain)).toEqual({ names: [['kept'], ['kept']], attempts: 1 });
    expect(await around(alterInVain)).toEqual({ names: [['kept'], ['kept']], attempts: 1 });
  });
});
