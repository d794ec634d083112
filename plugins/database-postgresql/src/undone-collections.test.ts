import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const Shelf = defineEntity({
  name: 'Shelf',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    books: () => p.oneToMany(Book).mappedBy('shelf').orphanRemoval(),
  },
});

const Book = defineEntity({
  name: 'Book',
  properties: { id: p.integer().primary(), title: p.string(), shelf: () => p.manyToOne(Shelf).nullable() },
});

type Change = (em: EntityManager, shelf: InferEntity<typeof Shelf>) => unknown;

const refused = new Error('refused by the work');

describe('a collection that a failed part has changed', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    service = await connectPostgresqlService({ url: testDatabase.url, models: [{ entities: [Shelf, Book] }] });
    database = service.database;
    await database.session(em => em.execute('create table shelf (id serial primary key, name text not null)'));
    await database.session(em =>
      em.execute('create table book (id serial primary key, title text not null, shelf_id int references shelf (id))'),
    );
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });

  const changes: readonly (readonly [what: string, change: Change])[] = [
    ['made of', (em, shelf) => em.create(Book, { title: 'of the part', shelf })],
    ['given', (em, shelf) => shelf.books.add(em.create(Book, { title: 'of the part' }, { persist: false }))],
    ['relieved of', (_, shelf) => shelf.books.removeAll()],
  ];

  describe.each(changes)('and %s an entity', (_, change) => {
    test.each([
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ])('stores nothing of it (loaded before: %s, flushed: %s)', async (isLoaded, isFlushed) => {
      await database.session(em => em.execute('truncate book, shelf restart identity'));
      await database.session(em => {
        em.create(Book, { title: 'kept', shelf: em.create(Shelf, { name: 'one' }) });
        return Promise.resolve();
      });
      await database.session(async em => {
        const shelf = await em.findOneOrFail(Shelf, 1, { populate: isLoaded ? ['books'] : [] });
        const part = database.transaction(async inner => {
          if (!isLoaded) await shelf.books.init();
          await change(inner, shelf);
          if (isFlushed) await inner.flush();
          throw refused;
        });
        await expect(part).rejects.toBe(refused);
        shelf.name = 'two';
      });
      const [shelf] = await database.read(em => em.find(Shelf, {}, { populate: ['books'] }));
      expect([shelf?.name, shelf?.books.getItems().map(({ title }) => title)]).toEqual(['two', ['kept']]);
      expect(await database.read(em => em.count(Book))).toBe(1);
    });
  });
});
