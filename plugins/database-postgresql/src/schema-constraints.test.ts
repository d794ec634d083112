import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, p } from '@mikro-orm/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const long = 'of_a_name_that_is_longer_than_the_sixty_three_characters_that_postgresql_keeps';

const Author = defineEntity({
  name: 'Author',
  tableName: 'author',
  properties: { id: p.integer().primary(), books: () => p.manyToMany(Book).owner().pivotTable('author_books') },
});

const Book = defineEntity({
  name: 'Book',
  tableName: 'book',
  indexes: [
    { name: `index_${long}`, properties: ['title'] },
    { name: `expression_${long}`, expression: `create index "expression_${long}" on book (lower(title))` },
  ],
  uniques: [
    { name: 'book_isbn_unique', properties: ['isbn'] },
    { name: 'book_number_unique', properties: ['number'], deferMode: 'deferred' },
  ],
  checks: [
    { name: 'book_pages_check', expression: 'pages >= 0' },
    { name: `check_${long}`, expression: 'pages < 9999' },
  ],
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    isbn: p.string(),
    number: p.integer(),
    pages: p.integer(),
    state: p.enum(['open', 'paid']).nativeEnumName('book_state').default('open'),
    shelf: p.integer().default(1),
    editor: () => p.manyToOne(Author).deleteRule('cascade').nullable(),
    authors: () => p.manyToMany(Author).mappedBy('books'),
  },
});

const dropKey = 'alter table author_books drop constraint author_books_author_id_foreign';
const addKey = (name: string, rules: string) =>
  `alter table author_books add constraint ${name} foreign key (author_id) references author (id) ${rules}`;
const dropUnique = 'alter table book drop constraint book_isbn_unique';
const wantedRules = 'on delete cascade, on update cascade';

describe('constraints and indexes that are there', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    service = await connectPostgresqlService({ url: testDatabase.url, models: [{ entities: [Author, Book] }] });
    await run(await service.database.draftMigration());
  });

  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });

  const run = (statements: readonly string[]) =>
    service.database.session(async em => {
      for (const statement of statements) await em.execute(statement);
    });

  async function after(...statements: string[]) {
    await run(statements);
    return service.database.validateSchema();
  }

  test('are as the entities say, also those whose names PostgreSQL has cut', async () => {
    expect(await service.database.validateSchema()).toEqual({ status: 'valid', differences: [] });
    expect(await service.database.draftMigration()).toEqual([]);
  });

  const otherKeys: [name: string, rules: string, found: string][] = [
    ['author_books_author_id_foreign', '', 'on delete no action, on update no action'],
    ['author_books_author_id_fkey', '', 'on delete no action, on update no action'],
    ['author_books_author_id_fkey', 'on delete set null on update cascade', 'on delete set null, on update cascade'],
    [
      'author_books_author_id_fkey',
      'on delete cascade on update cascade deferrable initially deferred',
      `${wantedRules}, deferrable initially deferred`,
    ],
  ];

  test.each(otherKeys)(
    'a foreign key %s with other rules (%s) differs, and is not missing',
    async (name, rules, found) => {
      const { status, differences } = await after(dropKey, addKey(name, rules));
      expect(status).toBe('different');
      const message = `Table author_books: the foreign key ${name} (author_id) differs: the entity says ${wantedRules}, the database has ${found}.`;
      expect(differences).toEqual([
        { kind: 'constraint', severity: 'failure', table: 'author_books', name, expected: wantedRules, found, message },
      ]);
      await run(await service.database.draftMigration());
      expect(await service.database.validateSchema()).toEqual({ status: 'valid', differences: [] });
    },
  );

  test('a foreign key to another table differs', async () => {
    const { differences } = await after(
      dropKey,
      'alter table author_books add constraint author_books_author_id_foreign foreign key (author_id) references book (id)',
    );
    expect(differences).toEqual([
      expect.objectContaining({
        severity: 'failure',
        expected: `(author_id) to author (id) ${wantedRules}`,
        found: '(author_id) to book (id) on delete no action, on update no action',
      }),
    ]);
  });

  const otherNames: [statement: string, expected: string, found: string][] = [
    [addKey('my_key', 'on delete cascade on update cascade'), 'author_books_author_id_foreign', 'my_key'],
    ['alter table book rename constraint book_pages_check to my_check', 'book_pages_check', 'my_check'],
  ];

  test.each(otherNames)('one of another name does what it is to do: %s', async (statement, expected, found) => {
    const { status, differences } = await after(...(found === 'my_key' ? [dropKey] : []), statement);
    expect(status).toBe('valid');
    expect(differences).toEqual([expect.objectContaining({ kind: 'name', severity: 'info', expected, found })]);
    expect(await service.database.draftMigration()).toEqual([]);
  });

  const same: [statements: string[]][] = [
    [[dropUnique, 'alter table book add constraint book_isbn_key unique (isbn)']],
    [[dropUnique, 'create unique index book_isbn_unique on book (isbn)']],
    [['alter index author_books_pkey rename to my_primary_key']],
  ];

  test.each(same)('is as the entities say after %j', async statements => {
    expect(await after(...statements)).toEqual({ status: 'valid', differences: [] });
  });

  const others: [statements: string[], message: string][] = [
    [
      [dropUnique, 'create unique index book_isbn_unique on book (isbn) where pages > 3'],
      'Table book: the constraint book_isbn_unique differs from what the entity says.',
    ],
    [
      [dropUnique, 'create index book_isbn_unique on book (isbn)'],
      'Table book: the constraint book_isbn_unique differs from what the entity says.',
    ],
    [
      [
        'alter table book drop constraint book_number_unique',
        'alter table book add constraint book_number_unique unique (number)',
      ],
      'Table book: the constraint book_number_unique differs from what the entity says.',
    ],
    [
      ['alter table book alter column shelf set default 2'],
      'Column book.shelf: the entity says a default, the database has another.',
    ],
    [
      [`alter type book_state rename value 'paid' to 'settled'`],
      'Column book.state: the entity says book_state of open, paid, the database has book_state of open, settled.',
    ],
  ];

  test.each(others)('differs after %j', async (statements, message) => {
    const { status, differences } = await after(...statements);
    expect(status).toBe('different');
    expect(differences.map(difference => difference.message)).toEqual([message]);
  });
});
