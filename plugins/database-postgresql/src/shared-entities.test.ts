import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
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
    readers: () => p.manyToMany(Reader).inversedBy('books'),
  },
});

const Reader = defineEntity({
  name: 'Reader',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    books: () => p.manyToMany(Book).mappedBy('readers'),
  },
});

const Mark = defineEntity({
  name: 'Mark',
  properties: { id: p.integer().primary(), book: () => p.manyToOne(Book) },
});

type ShelfEntity = InferEntity<typeof Shelf>;

const refused = new Error('refused by the work');

const create = `
  create table mark (id serial primary key, book_id int not null);
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
    service = await connectPostgresqlService({
      url: testDatabase.url,
      models: [{ entities: [Shelf, Book, Reader, Mark] }],
    });
    database = service.database;
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

  async function stored() {
    const read = async (em: EntityManager) => ({
      shelves: (await em.find(Shelf, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name),
      books: (await em.find(Book, {}, { orderBy: { id: 'asc' } })).map(({ title, shelf }) => [title, shelf?.id]),
    });
    return database.read(read, { nested: 'separate' });
  }

  const loadShelf = (em: EntityManager) => em.findOneOrFail(Shelf, 1, { populate: ['books'] });
  const separate = { nested: 'separate', retry: 'never' } as const;

  /** How it goes when another session does something with `shelf`. */
  function outcomeOf(use: (em: EntityManager, shelf: ShelfEntity) => unknown, shelf: ShelfEntity): Promise<unknown> {
    const using = database.session(async em => void (await use(em, shelf)), separate);
    return using.then(
      () => 'done',
      (error: unknown) => error,
    );
  }

  async function failing(work: (em: EntityManager) => Promise<void>): Promise<void> {
    const session = database.session(
      async em => {
        await work(em);
        throw refused;
      },
      { retry: 'never' },
    );
    await expect(session).rejects.toBe(refused);
  }

  type Use = readonly [how: string, use: (em: EntityManager, shelf: ShelfEntity) => unknown];

  const takings: readonly Use[] = [
    ['merged', (em, shelf) => em.merge(shelf)],
    ['persisted', (em, shelf) => em.persist(shelf)],
    ['given to an upsert', (em, shelf) => em.upsert(shelf)],
    ['given to upserts', (em, shelf) => em.upsertMany([shelf])],
    ['refreshed', (em, shelf) => em.refresh(shelf)],
    ['removed', (em, shelf) => em.remove(shelf)],
  ];

  const relations: readonly Use[] = [
    ['a new one', (em, shelf) => em.create(Book, { title: 'new', shelf })],
    [
      'a new one that another brings in',
      (em, shelf) => {
        const reader = em.create(Reader, { name: 'new' });
        reader.books.add(em.create(Book, { title: 'new', shelf }, { persist: false }));
      },
    ],
    ['a loaded one', async (em, shelf) => Object.assign(await loadBook(em), { title: 'new', shelf })],
    ['one that is assigned to', async (em, shelf) => em.assign(await loadBook(em), { title: 'new', shelf })],
    ['a merged one', (em, shelf) => em.merge(Object.assign(known(em), { title: 'new', shelf }))],
  ];

  const loadBook = (em: EntityManager) => em.findOneOrFail(Book, 1);

  /** As if it had been loaded. */
  const known = (em: EntityManager) => em.create(Book, { id: 1, title: 'of none' }, { managed: true, persist: false });

  test.each(takings)('may not be %s by another, and its change is stored once, by its own', async (_, use) => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      shelf.name = 'changed';
      const refusal = await outcomeOf(use, shelf);
      expect(refusal).toMatchObject({ code: 'DATABASE_ENTITY_SHARED', facts: { entity: 'Shelf' } });
    });
    expect(await stored()).toEqual({ shelves: ['changed'], books: [['of none', undefined]] });
  });

  test.each(takings)(
    'may not be %s by another, and its change is stored by none when its own fails',
    async (_, use) => {
      await failing(async em => {
        const shelf = await loadShelf(em);
        shelf.name = 'changed';
        await outcomeOf(use, shelf);
      });
      expect(await stored()).toEqual({ shelves: ['stored'], books: [['of none', undefined]] });
    },
  );

  test.each(relations)('may be related to %s of another, and its change is stored once, by its own', async (_, use) => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      shelf.name = 'changed';
      expect(await outcomeOf(use, shelf)).toBe('done');
      const { shelves, books } = await stored();
      expect([shelves, books.at(-1)]).toEqual([['stored'], ['new', 1]]);
    });
    const { shelves, books } = await stored();
    expect([shelves, books.at(-1)]).toEqual([['changed'], ['new', 1]]);
  });

  test.each(relations)(
    'may be related to %s of another, and its change is not stored when its own fails',
    async (_, use) => {
      await failing(async em => {
        const shelf = await loadShelf(em);
        shelf.name = 'changed';
        expect(await outcomeOf(use, shelf)).toBe('done');
      });
      const { shelves, books } = await stored();
      expect([shelves, books.at(-1)]).toEqual([['stored'], ['new', 1]]);
    },
  );

  test.each(relations)('does not store %s of another that is rolled back', async (_, use) => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      shelf.name = 'changed';
      const undone = async (other: EntityManager, given: ShelfEntity) => {
        await use(other, given);
        await other.flush();
        throw refused;
      };
      expect(await outcomeOf(undone, shelf)).toBe(refused);
    });
    expect(await stored()).toEqual({ shelves: ['changed'], books: [['of none', undefined]] });
  });

  const related = relations.map(([how, use]): Use => [`related to ${how}`, use]);
  const kept = [...takings.slice(0, -1), ...related];

  test.each([...takings, ...related])('may be %s by another when its own has ended', async (_, use) => {
    expect(await outcomeOf(use, await database.session(loadShelf))).toBe('done');
  });

  test.each(kept)('may be %s by another when its own is read-only and stores nothing', async (_, use) => {
    await database.read(async em => {
      expect(await outcomeOf(use, await loadShelf(em))).toBe('done');
    });
  });

  test.each([...takings, ...related])('may be %s by work that joins it, and by a part of it', async (_, use) => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      await database.session(inner => Promise.resolve(use(inner, shelf)));
      await database.transaction(inner => Promise.resolve(use(inner, shelf)));
    });
  });

  test('may be in a collection of another, which leaves its change to its own', async () => {
    await database.session(async em => {
      const reader = await em.findOneOrFail(Reader, 1, { populate: ['books'] });
      reader.name = 'changed';
      const lending = async (other: EntityManager) => {
        const book = await other.findOneOrFail(Book, 1, { populate: ['readers'] });
        book.readers.add(reader);
      };
      expect(await outcomeOf(lending, await em.findOneOrFail(Shelf, 1))).toBe('done');
      const names = database.read(read => read.find(Reader, {}, { populate: ['books'] }), { nested: 'separate' });
      expect((await names).map(each => [each.name, each.books.length])).toEqual([['stored', 1]]);
    });
    const readers = await database.read(em => em.find(Reader, {}, { populate: ['books'] }));
    expect(readers.map(({ name, books }) => [name, books.length])).toEqual([['changed', 1]]);
  });

  test('is not given what another puts into its collection, and the other is refused', async () => {
    await database.session(async em => {
      const shelf = await loadShelf(em);
      shelf.name = 'changed';
      const giving = (other: EntityManager, given: ShelfEntity) =>
        given.books.add(other.create(Book, { title: 'new' }));
      expect(await outcomeOf(giving, shelf)).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
        facts: { entity: 'Book' },
      });
      expect(shelf.books.length).toBe(0);
    });
    expect(await stored()).toEqual({ shelves: ['changed'], books: [['of none', undefined]] });
  });

  test('keeps its items when another is refused one of them', async () => {
    await database.session(async em => void em.create(Book, { title: 'mine', shelf: em.getReference(Shelf, 1) }));
    await database.session(async em => {
      const shelf = await loadShelf(em);
      const [book] = shelf.books.getItems();
      expect(await outcomeOf(other => other.persist(Object(book)), shelf)).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
      });
      expect(shelf.books.length).toBe(1);
    });
  });

  test('stores a row of its many-to-many collection once, when another has put its own entity there', async () => {
    await database.session(async em => {
      const book = await em.findOneOrFail(Book, 1, { populate: ['readers'] });
      const adding = async (other: EntityManager) => void book.readers.add(other.create(Reader, { name: 'new' }));
      expect(await outcomeOf(adding, await loadShelf(em))).toBe('done');
    });
    const book = await database.read(em => em.findOneOrFail(Book, 1, { populate: ['readers'] }));
    expect(book.readers.getItems().map(({ name }) => name)).toEqual(['new']);
  });

  test('keeps the changes of its own collections when another that refers to it flushes', async () => {
    await database.session(async em => {
      const book = await em.findOneOrFail(Book, 1, { populate: ['readers'] });
      book.readers.add(em.getReference(Reader, 1));
      const marking = database.session(async other => void other.create(Mark, { book }), separate);
      await expect(marking).resolves.toBeUndefined();
    });
    const book = await database.read(em => em.findOneOrFail(Book, 1, { populate: ['readers'] }));
    expect(book.readers.length).toBe(1);
  });

  test('may not be related to by another when it is new', async () => {
    await database.session(async em => {
      const shelf = em.create(Shelf, { name: 'new' });
      expect(
        await outcomeOf((other, given) => other.create(Book, { title: 'lost', shelf: given }), shelf),
      ).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
        facts: { entity: 'Shelf', relation: 'Book.shelf' },
      });
      const assigning = async (other: EntityManager, given: ShelfEntity) =>
        Object.assign(await loadBook(other), { shelf: given });
      expect(await outcomeOf(assigning, shelf)).toMatchObject({ code: 'DATABASE_ENTITY_SHARED' });
    });
    expect(await stored()).toEqual({ shelves: ['stored', 'new'], books: [['of none', undefined]] });
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
      expect(await outcomeOf((other, given) => other.persist(given), shelf)).toMatchObject({
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
      expect(await outcomeOf((other, given) => other.persist(given), shelf)).toMatchObject({
        code: 'DATABASE_ENTITY_SHARED',
      });
    });
    expect(await stored()).toMatchObject({ shelves: ['changed'] });
  });
});
