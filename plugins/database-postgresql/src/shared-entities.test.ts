import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const Shelf = defineEntity({
  name: 'Shelf',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    books: () => p.oneToMany(Book).mappedBy('shelf'),
  },
});

const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    shelf: () => p.manyToOne(Shelf).nullable(),
    readers: () => p.manyToMany(Reader).owner(),
  },
});

const Reader = defineEntity({ name: 'Reader', properties: { id: p.integer().primary(), name: p.string() } });

type ShelfEntity = InferEntity<typeof Shelf>;

const create = `
  create table shelf (id serial primary key, name text not null);
  create table book (id serial primary key, title text not null, shelf_id int references shelf (id));
  create table reader (id serial primary key, name text not null);
  create table book_readers (book_id int references book (id), reader_id int references reader (id), primary key (book_id, reader_id))`;

describe('an entity of an open session', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    service = createPostgresqlService({ url: testDatabase.url, models: [{ entities: [Shelf, Book, Reader] }] });
    database = service.database;
    await database.connect();
    for (const statement of create.split(';')) await database.session(em => em.execute(statement));
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await database.session(em => em.execute('truncate shelf, book, reader, book_readers restart identity'));
    await database.session(async em => {
      em.create(Shelf, { name: 'stored' });
      em.create(Book, { title: 'of none' });
      em.create(Reader, { name: 'stored' });
    });
  });

  async function stored(): Promise<unknown> {
    return database.read(async em => ({
      shelves: (await em.find(Shelf, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name),
      books: (await em.find(Book, {}, { orderBy: { id: 'asc' } })).map(({ title, shelf }) => [title, shelf?.id]),
    }));
  }

  const loadShelf = (em: EntityManager) => em.findOneOrFail(Shelf, 1, { populate: ['books'] });
  const separate = { nested: 'separate', retry: 'never' } as const;

  /** The error with which another session refuses to have `shelf`. */
  function refusalOf(use: (em: EntityManager, shelf: ShelfEntity) => unknown, shelf: ShelfEntity): Promise<unknown> {
    const using = database.session(async em => void (await use(em, shelf)), separate);
    return using.then(
      () => 'not refused',
      (error: unknown) => error,
    );
  }

  const uses: readonly (readonly [
    how: string,
    relation: object,
    use: (em: EntityManager, shelf: ShelfEntity) => unknown,
  ])[] = [
    ['merged', {}, (em, shelf) => em.merge(shelf)],
    ['persisted', {}, (em, shelf) => em.persist(shelf)],
    ['removed', {}, (em, shelf) => em.remove(shelf)],
    ['given to an upsert', {}, (em, shelf) => em.upsert(shelf)],
    ['given to upserts', {}, (em, shelf) => em.upsertMany([shelf])],
    ['related to a new one', { relation: 'Book.shelf' }, (em, shelf) => em.create(Book, { title: 'new', shelf })],
    [
      'related to a loaded one',
      { relation: 'Book.shelf' },
      async (em, shelf) => Object.assign(await em.findOneOrFail(Book, 1), { shelf }),
    ],
    [
      'related to one that is assigned to',
      { relation: 'Book.shelf' },
      async (em, shelf) => em.assign(await em.findOneOrFail(Book, 1), { shelf }),
    ],
    ['merged with what refers to it', { relation: 'Book.shelf' }, (em, shelf) => em.merge(newBook(em, shelf))],
  ];

  /** Known to none, with a key. */
  function newBook(em: EntityManager, shelf: ShelfEntity) {
    return Object.assign(em.create(Book, { id: 7, title: 'new', shelf }, { persist: false }), { id: 7 });
  }

  test.each(uses)('may not be %s by another, and its change is stored once, by its own', async (_, relation, use) => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      shelf.name = 'changed';
      const refusal = await refusalOf(use, shelf);
      expect(refusal).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
        facts: { entity: 'Shelf', ...relation },
      });
    });
    expect(await stored()).toEqual({ shelves: ['changed'], books: [['of none', undefined]] });
  });

  test.each(uses)(
    'may not be %s by another, and its change is stored by none when its own fails',
    async (_, __, use) => {
      const failing = database.session(
        async em => {
          const shelf = await loadShelf(em);
          shelf.name = 'changed';
          await refusalOf(use, shelf);
          throw new Error('refused by the work');
        },
        { retry: 'never' },
      );
      await expect(failing).rejects.toThrow('refused by the work');
      expect(await stored()).toEqual({ shelves: ['stored'], books: [['of none', undefined]] });
    },
  );

  test.each(uses)('may be %s by another when its own has ended', async (_, __, use) => {
    const shelf = await database.session(loadShelf);
    const error = await refusalOf(use, shelf);
    expect(error).toBe('not refused');
  });

  const kept = uses.filter(([how]) => how !== 'removed');
  test.each(kept)('may be %s by another when its own is read-only and stores nothing', async (_, __, use) => {
    await database.read(async em => {
      const shelf = await loadShelf(em);
      expect(await refusalOf(use, shelf)).toBe('not refused');
    });
  });

  test.each(uses)('may be %s by work that joins it, and by a part of it', async (_, __, use) => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      await database.session(inner => Promise.resolve(use(inner, shelf)));
      await database.transaction(inner => Promise.resolve(use(inner, shelf)));
    });
  });

  test('may not be put into a collection of another', async () => {
    await database.session(async em => {
      const reader = await em.findOneOrFail(Reader, 1);
      reader.name = 'changed';
      const lending = database.session(async other => {
        const book = await other.findOneOrFail(Book, 1, { populate: ['readers'] });
        book.readers.add(reader);
      }, separate);
      await expect(lending).rejects.toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
        facts: { entity: 'Reader', relation: 'Book.readers' },
      });
    });
    const [reader] = await database.read(em => em.find(Reader, {}));
    expect(reader?.name).toBe('changed');
  });

  test('may not be merged by a read-only one, which would take its change for stored', async () => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      shelf.name = 'changed';
      const reading = database.read(async other => void other.merge(shelf), { nested: 'separate' });
      await expect(reading).rejects.toMatchObject({ code: 'DATABASE_ENTITY_SHARED' });
    });
    expect(await stored()).toMatchObject({ shelves: ['changed'] });
  });

  test('may not be given to two at once when it is new', async () => {
    await database.session(async em => {
      const shelf = em.create(Shelf, { name: 'new' });
      expect(await refusalOf((other, given) => other.persist(given), shelf)).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
      });
    });
    expect(await stored()).toMatchObject({ shelves: ['stored', 'new'] });
  });

  test('may not be given to two at once when the session that loaded it has ended', async () => {
    const shelf = await database.session(loadShelf);
    await database.session(async em => {
      em.persist(shelf);
      shelf.name = 'changed';
      expect(await refusalOf((other, given) => other.persist(given), shelf)).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
      });
    });
    expect(await stored()).toMatchObject({ shelves: ['changed'] });
  });
});
