import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseModel, DatabaseService } from '@keelson/database';
import { createTestDatabase } from '@keelson/test-support/database';
import { copyEmptyPglite } from '@keelson/test-support/empty-pglite';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, type EntityName, p, type RequiredEntityData, raw } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** A single-table hierarchy. */
const Pet = defineEntity({
  name: 'Pet',
  tableName: 'pet',
  discriminatorColumn: 'kind',
  discriminatorValue: 'pet',
  properties: { id: p.integer().primary(), kind: p.string().$type<string>().nullable(), name: p.string() },
});
const Dog = defineEntity({
  name: 'Dog',
  extends: Pet,
  discriminatorValue: 'dog',
  properties: { trick: p.string().nullable() },
});

const Address = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: { street: p.string(), town: p.string().nullable() },
});

/** One property for each feature of MikroORM that decides by itself what is stored. */
const Feature = defineEntity({
  name: 'Feature',
  tableName: 'camelCase',
  schema: 'other schema',
  properties: {
    id: p.integer().primary(),
    givenName: p.string().fieldName('givenName'),
    state: p.string().default('new'),
    counted: p.integer().defaultRaw('40 + 2').nullable(),
    made: p.string().onCreate(() => 'made by onCreate'),
    madeOf: p.string().onCreate((row: { givenName: string }) => `of ${row.givenName}`),
    version: p.integer().version(),
    shout: p.string().generated('(upper("givenName")) stored').nullable(),
    passing: p.string().persist(false).nullable(),
    colours: p.enum(['red', 'green']).array().nullable(),
    parts: p.array().$type<Buffer[]>().columnType('bytea[]').nullable(),
    home: () => p.embedded(Address).nullable(),
    past: () => p.embedded(Address).object().nullable(),
    all: () => p.embedded(Address).array().nullable(),
  },
});

class Titled {
  id!: number;
  title!: string;
  slug: string = 'from the constructor';
}
const TitledSchema = defineEntity({
  class: Titled,
  name: 'Titled',
  tableName: 'titled',
  properties: { id: p.integer().primary(), title: p.string(), slug: p.string() },
  hooks: {
    beforeCreate: [
      ({ entity }) => {
        entity.title = `${entity.title}, hooked`;
      },
    ],
  },
});

class CreateTables extends Migration {
  override async up(): Promise<void> {
    this.addSql(`create table pet (id serial primary key, kind text, name text not null, trick text)`);
    this.addSql('create schema "other schema"');
    this.addSql(`create type colour as enum ('red', 'green')`);
    this.addSql(`create table "other schema"."camelCase" (
      id serial primary key, "givenName" text not null, state text not null default 'new', counted int default 42,
      made text not null, made_of text not null, version int not null default 1,
      shout text generated always as (upper("givenName")) stored, colours text[], parts bytea[],
      home_street text, home_town text, past jsonb, "all" jsonb)`);
    this.addSql('create table titled (id serial primary key, title text not null, slug text not null)');
    this.addSql('create table secured (id serial primary key, tenant text not null)');
    this.addSql('alter table secured enable row level security');
    this.addSql('alter table secured force row level security');
    this.addSql('create policy everything on secured using (true) with check (true)');
    this.addSql('create view titled_view as select * from titled');
  }
}

const Secured = defineEntity({
  name: 'Secured',
  tableName: 'secured',
  properties: { id: p.integer().primary(), tenant: p.string() },
});
const Viewed = defineEntity({
  name: 'Viewed',
  tableName: 'titled_view',
  properties: { id: p.integer().primary(), title: p.string(), slug: p.string() },
});

const model: DatabaseModel = {
  entities: [Pet, Dog, Address, Feature, TitledSchema, Secured, Viewed],
  migrations: [CreateTables],
};

const drivers = {
  PostgreSQL: async () => {
    const testDatabase = await createTestDatabase();
    const service = createPostgresqlService({ url: testDatabase.url, models: [model] });
    const close = async () => {
      await service[Symbol.asyncDispose]();
      await testDatabase[Symbol.asyncDispose]();
    };
    return { database: service.database, close };
  },
  PGlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keelson-bulk-insert-'));
    const dataDir = join(folder, 'data');
    await copyEmptyPglite(dataDir);
    const service = createPgliteService({ options: { dataDir }, models: [model] });
    const close = async () => {
      await service[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    };
    return { database: service.database, close };
  },
};

describe.each(Object.entries(drivers))('a bulk insert on %s', (_driver, open) => {
  let database: DatabaseService;
  let close: () => PromiseLike<void>;

  beforeAll(async () => {
    ({ database, close } = await open());
    await database.connect();
    await database.migrate();
  }, 120_000);

  afterAll(async () => {
    await close();
  });

  const tables = ['pet', '"other schema"."camelCase"', 'titled', 'secured'];
  const readAll = (table: string) =>
    database.session(em => em.execute<Record<string, unknown>[]>(`select * from ${table} order by id`));

  /** What both ways store, without ids. */
  async function storedBothWays<Entity extends object>(
    entity: EntityName<Entity>,
    rows: () => RequiredEntityData<Entity>[],
  ) {
    const ways = {
      flushed: () => database.session(async em => void rows().map(row => em.create(entity, row, { persist: true }))),
      inserted: () => database.bulkInsert(entity, rows()),
    };
    const stored: Record<string, unknown> = {};
    for (const [name, store] of Object.entries(ways)) {
      await database.session(em => em.execute(`truncate ${tables.join(', ')} restart identity`));
      await store();
      stored[name] = await Promise.all(tables.map(readAll));
    }
    return stored;
  }

  const feature = { givenName: 'Ada' };
  const address = { street: 'Main Street', town: 'Ely' };
  const cases: Record<string, () => Promise<Record<string, unknown>>> = {
    'a class of a single-table hierarchy': () =>
      storedBothWays(Dog, () => [{ name: 'Rex' }, { name: 'Ada', trick: 'roll' }]),
    'the root of a single-table hierarchy': () => storedBothWays(Pet, () => [{ name: 'Rex' }]),
    'defaults, onCreate, versions': () =>
      storedBothWays(Feature, () => [feature, { ...feature, state: 'old', made: 'mine' }] as never),
    'undefined, in some rows': () =>
      storedBothWays(
        Feature,
        () =>
          [
            { ...feature, counted: undefined, state: undefined },
            { ...feature, counted: 7, state: 'old' },
            { ...feature, counted: null },
          ] as never,
      ),
    'a version, a generated column and a property that is not persisted': () =>
      storedBothWays(Feature, () => [{ ...feature, version: 9, shout: 'no', passing: 'by' }] as never),
    'arrays of enums': () =>
      storedBothWays(
        Feature,
        () =>
          [
            { ...feature, colours: ['red', 'green'] },
            { ...feature, colours: [] },
            { ...feature, colours: null },
          ] as never,
      ),
    'embedded objects': () =>
      storedBothWays(
        Feature,
        () =>
          [{ ...feature, home: address, past: address, all: [address, { street: 'Second Street' }] }, feature] as never,
      ),
    'expressions beside values': () =>
      storedBothWays(Feature, () => [{ givenName: raw(`upper('ada')`), madeOf: 'x' }, feature] as never),
    'constructors and hooks': () =>
      storedBothWays(TitledSchema, () => [{ title: 'One' } as never, { title: 'Two', slug: 'two' }]),
    'a table under row-level security': () => storedBothWays(Secured, () => [{ tenant: 'a' }, { tenant: 'b' }]),
    'a view that takes inserts': () => storedBothWays(Viewed, () => [{ title: 'One', slug: 'one' }]),
  };

  test.each(Object.entries(cases))('writes what a flush writes: %s', async (_name, run) => {
    const { flushed, inserted } = await run();
    expect((flushed as unknown[][]).flat().length).toBeGreaterThan(0);
    expect(inserted).toEqual(flushed);
  });

  test('names the properties that do not exist, all of them, before anything is sent', async () => {
    const rows = [
      { givenName: 'a', givnName: 1 },
      { givenName: 'b', 'a/b': 2 },
    ];
    await expect(database.bulkInsert(Feature, rows as never)).rejects.toMatchObject({
      code: 'DATABASE_VALIDATION_FAILED',
      errors: [{ path: '/0/givnName' }, { path: '/1/a~1b' }],
    });
  });
});
