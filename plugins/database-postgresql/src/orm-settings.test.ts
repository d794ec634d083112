import type { DatabaseModel } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { migrateDatabase } from '@keelson/test-support/test-service';
import { defineEntity, type EventArgs, type EventSubscriber, p, UnderscoreNamingStrategy } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, expect, test } from 'vitest';

let testDatabase: TestDatabase;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  await migrateDatabase(testDatabase.url, { models: [{ ...sampleModel }, bookModel()] });
});

afterAll(() => testDatabase[Symbol.asyncDispose]());

const Book = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), bookTitle: p.text(), isGone: p.boolean().default(false) },
});

class CreateBooks extends Migration {
  override up(): void {
    this.addSql(
      'create table t_book (id serial primary key, book_title text not null, is_gone bool not null default false)',
    );
  }
}

/** The naming strategy of a team: every table has a prefix. */
class Prefixed extends UnderscoreNamingStrategy {
  override classToTableName(name: string): string {
    return `t_${super.classToTableName(name)}`;
  }
}

function bookModel(orm: DatabaseModel['orm'] = {}): DatabaseModel {
  return { entities: [Book], migrations: [CreateBooks], orm: { namingStrategy: Prefixed, ...orm } };
}

async function connected(...models: DatabaseModel[]) {
  const service = await connectPostgresqlService({ url: testDatabase.url, models });
  return service;
}

test('a naming strategy makes the names of tables and columns', async () => {
  await using service = await connected(bookModel());
  await service.database.session(async em => void em.create(Book, { bookTitle: 'Moby' }));
  const rows = await service.database.read(em => em.execute('select book_title from t_book'));
  expect(rows).toEqual([{ book_title: 'Moby' }]);
});

test('subscribers, filters and onQuery of several models are all used', async () => {
  const seen: string[] = [];
  const subscriber = (name: string): EventSubscriber => ({
    beforeCreate: ({ meta }: EventArgs<object>) => void seen.push(`${name} ${meta.className}`),
  });
  const comment = (name: string) => (sql: string) => `${sql} /* ${name} */`;
  const present = { name: 'present', cond: { isGone: false }, entity: ['Book'], default: true };
  await using service = await connected(
    { ...sampleModel, orm: { subscribers: [subscriber('first')], onQuery: comment('one') } },
    bookModel({ subscribers: [subscriber('second')], filters: { present }, onQuery: comment('two') }),
  );
  const { database } = service;
  await database.session(async em => {
    em.create(Author, { email: 'ada@example.org' });
    em.create(Book, { bookTitle: 'Gone', isGone: true });
  });
  expect(seen.toSorted()).toEqual(['first Author', 'first Book', 'second Author', 'second Book']);
  for (let time = 1; time <= 3; time += 1) {
    expect(await database.read(em => em.findOne(Book, { bookTitle: 'Gone' }))).toBeNull();
    const [{ query = '' } = {}] = await database.read(em =>
      em.execute<{ query: string }[]>('select current_query() as query'),
    );
    expect(query).toContain('/* one */ /* two */');
  }
  const unfiltered = { filters: { present: false } };
  expect(await database.read(em => em.findOne(Book, { bookTitle: 'Gone' }, unfiltered))).not.toBeNull();
});

test('two models that set an option differently are refused', async () => {
  class Other extends UnderscoreNamingStrategy {}
  const models = [bookModel(), { ...sampleModel, orm: { namingStrategy: Other } }];
  expect(() => createPostgresqlService({ url: testDatabase.url, models })).toThrow(
    expect.objectContaining({ code: 'DATABASE_MODEL_CONFLICT', facts: { option: 'namingStrategy' } }),
  );
  const agreed = [bookModel(), { ...sampleModel, orm: { namingStrategy: Prefixed } }];
  expect(() => createPostgresqlService({ url: testDatabase.url, models: agreed })).not.toThrow();
});
