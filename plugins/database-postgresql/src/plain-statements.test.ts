import { type DatabaseModel, type EntityManager, QueryError } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, helper, MikroORM, p, sql, Type, wrap } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

class Upper extends Type<string | null, string | null> {
  override convertToDatabaseValue(value: string | null) {
    return value?.toUpperCase() ?? null;
  }
}

const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: { city: p.string(), zip: p.string().nullable() },
});

const Team = defineEntity({
  name: 'Team',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    people: () => p.oneToMany(Person).mappedBy('team'),
  },
});

let loaded: string[] = [];
let hides = false;

const Person = defineEntity({
  name: 'Person',
  properties: {
    id: p.integer().primary(),
    email: p.string().unique(),
    age: p.integer().nullable(),
    score: p.double().nullable(),
    active: p.boolean().default(true),
    visits: p.bigint('bigint').nullable(),
    token: p.uuid().nullable(),
    born: p.date().nullable(),
    seenAt: p.datetime().nullable(),
    notes: p.json<object>().nullable(),
    secret: p.string().lazy().nullable(),
    home: () => p.embedded(Place).nullable(),
    away: () => p.embedded(Place).object().nullable(),
    code: p.string().type(Upper).nullable(),
    version: p.integer().version(),
    team: () => p.manyToOne(Team).nullable(),
  },
  hooks: { onLoad: [({ entity }) => void loaded.push(entity.email)] },
});

const Hidden = defineEntity({
  name: 'Hidden',
  properties: { id: p.integer().primary(), visible: p.string().nullable() },
  // Without a parameter, so that its text alone differs from that of another moment.
  filters: { visible: { name: 'visible', cond: () => (hides ? { visible: null } : {}), default: true } },
});
const Pointer = defineEntity({
  name: 'Pointer',
  properties: { id: p.integer().primary(), hidden: () => p.manyToOne(Hidden).nullable() },
});
const Passport = defineEntity({
  name: 'Passport',
  properties: { id: p.integer().primary(), holder: () => p.oneToOne(Holder).owner() },
});
const Holder = defineEntity({
  name: 'Holder',
  properties: { id: p.integer().primary(), passport: () => p.oneToOne(Passport).mappedBy('holder').nullable() },
});
const Eager = defineEntity({
  name: 'Eager',
  properties: { id: p.integer().primary(), team: () => p.manyToOne(Team).eager() },
});
const Sum = defineEntity({
  name: 'Sum',
  properties: { id: p.integer().primary(), a: p.integer(), twice: p.integer().formula(columns => `${columns.a} * 2`) },
});
const Animal = defineEntity({
  name: 'Animal',
  discriminatorColumn: 'kind',
  discriminatorValue: 'animal',
  properties: { id: p.integer().primary(), kind: p.enum(['cat', 'animal']).default('animal') },
});
const Cat = defineEntity({
  name: 'Cat',
  extends: Animal,
  discriminatorValue: 'cat',
  properties: { lives: p.integer().nullable() },
});
const Pair = defineEntity({
  name: 'Pair',
  properties: { left: p.integer().primary(), right: p.string().primary(), note: p.string().nullable() },
});

const entities = [Place, Team, Person, Hidden, Pointer, Holder, Passport, Eager, Sum, Animal, Cat, Pair];
const model: DatabaseModel = { entities };
const token = '6f1a3c1e-0000-4000-8000-00000000000a';

let postgres: TestDatabase;
let service: PostgresqlService;

beforeAll(async () => {
  postgres = await createTestDatabase();
  await using orm = await MikroORM.init({ clientUrl: postgres.url, entities });
  await orm.schema.create();
  service = createPostgresqlService({ url: postgres.url, models: [model] });
  await service.database.connect();
  await service.database.session(fill);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

async function fill(em: EntityManager): Promise<void> {
  const team = em.create(Team, { id: 1, title: 'one' });
  const both = { age: 30, score: 1.5, visits: 9_007_199_254_740_993n, token, born: '2000-01-02', secret: 'S', team };
  em.create(Person, {
    id: 1,
    email: 'a@b.c',
    ...both,
    seenAt: new Date('2026-01-02T03:04:05.678Z'),
    notes: { deep: [1, null, 'x'] },
    home: { city: 'Rome', zip: null },
    away: { city: 'Oslo', zip: '1' },
    code: 'ABC',
  });
  em.create(Person, { id: 2, email: 'd@e.f', active: false });
  em.create(Hidden, { id: 1, visible: 'yes' });
  await em.flush();
  em.create(Pointer, { id: 1, hidden: 1 });
  const holder = em.create(Holder, { id: 1 });
  em.create(Passport, { id: 7, holder });
  em.create(Eager, { id: 1, team });
  em.create(Sum, { id: 1, a: 21 });
  em.create(Cat, { id: 1, kind: 'cat', lives: 9 });
  em.create(Animal, { id: 2 });
  em.create(Pair, { left: 1, right: 'r', note: 'n' });
}

/** All that is visible of what was found, to the service and to the next flush. */
function seen(found: object | null): unknown {
  if (found === null) return null;
  const { __originalEntityData, __loadedProperties, __initialized, __serializationContext } = helper(found);
  return {
    values: wrap(found).toObject(),
    snapshot: __originalEntityData,
    loadedProperties: [...__loadedProperties].sort(),
    isInitialized: __initialized,
    context: __serializationContext,
    class: found.constructor.name,
  };
}

async function statementsIn(work: () => Promise<unknown>): Promise<number> {
  const count = () => service.logger.lines('debug').filter(({ message }) => message === 'statement').length;
  const before = count();
  await work();
  return count() - before;
}

/** How often MikroORM builds a read or an update while `work` runs. */
async function builtIn(work: () => Promise<unknown>): Promise<number> {
  const driver = await service.database.read(async em => em.getDriver());
  const built = [vi.spyOn(driver, 'find'), vi.spyOn(driver, 'nativeUpdate')];
  try {
    await work();
    return built.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  } finally {
    for (const each of built) each.mockRestore();
  }
}

/** With any option MikroORM does it. */
const own = { flushMode: 'auto' } as const;

const plain: readonly (readonly [string, (em: EntityManager, options?: object) => Promise<object | null>])[] = [
  ['the key', (em, options) => em.findOne(Person, { id: 1 }, options)],
  ['the key alone', (em, options) => em.findOne(Person, 2, options)],
  ['a key that is not there', (em, options) => em.findOne(Person, 99, options)],
  ['a unique text', (em, options) => em.findOne(Person, { email: 'a@b.c' }, options)],
  ['a text with a placeholder and quotes', (em, options) => em.findOne(Person, { email: `?'"\\$1` }, options)],
  ['a uuid', (em, options) => em.findOne(Person, { token }, options)],
  ['a boolean', (em, options) => em.findOne(Person, { active: false }, options)],
  ['two numbers', (em, options) => em.findOne(Person, { age: 30, score: 1.5 }, options)],
  ['the same in the other order', (em, options) => em.findOne(Person, { score: 1.5, age: 30 }, options)],
  ['a number where another shape has a text', (em, options) => em.findOne(Team, { id: 1 }, options)],
  ['a bigint', (em, options) => em.findOne(Person, { visits: 9_007_199_254_740_993n }, options)],
  ['a value that a type converts', (em, options) => em.findOne(Person, { code: 'abc' }, options)],
  ['both parts of a key', (em, options) => em.findOne(Pair, { left: 1, right: 'r' }, options)],
];

const leftToMikroOrm: typeof plain = [
  ['null', (em, options) => em.findOne(Person, { age: null }, options)],
  ['an operator', (em, options) => em.findOne(Person, { age: { $gt: 3 } }, options)],
  ['a list', (em, options) => em.findOne(Person, { id: [1, 3] }, options)],
  ['an alternative', (em, options) => em.findOne(Person, { $or: [{ id: 1 }, { id: 3 }] }, options)],
  ['a date', (em, options) => em.findOne(Person, { seenAt: new Date('2026-01-02T03:04:05.678Z') }, options)],
  ['a part of a JSON value', (em, options) => em.findOne(Person, { notes: 'x' }, options)],
  ['a property of a relation', (em, options) => em.findOne(Person, { team: { title: 'one' } }, options)],
  ['an embedded property', (em, options) => em.findOne(Person, { home: { city: 'Rome' } }, options)],
  ['a filtered entity', (em, options) => em.findOne(Hidden, { id: 1 }, options)],
  ['a relation to a filtered entity', (em, options) => em.findOne(Pointer, { id: 1 }, options)],
  ['an inverse side', (em, options) => em.findOne(Holder, { id: 1 }, options)],
  ['an eager relation', (em, options) => em.findOne(Eager, { id: 1 }, options)],
  ['a formula', (em, options) => em.findOne(Sum, { id: 1 }, options)],
  ['a class of a hierarchy', (em, options) => em.findOne(Cat, { id: 1 }, options)],
  ['the root of a hierarchy', (em, options) => em.findOne(Animal, { id: 1 }, options)],
];

describe('a read whose text is known', () => {
  test.each(plain)('finds by %s what MikroORM finds, to the last detail', async (_, find) => {
    const { database } = service;
    const expected = await database.read(async em => seen(await find(em, own)));
    await database.read(em => find(em));
    const again = vi.fn((em: EntityManager) => find(em).then(seen));
    expect(await builtIn(() => database.read(again))).toBe(0);
    expect(await again.mock.results[0]?.value).toEqual(expected);
  });

  test.each(leftToMikroOrm)('is not kept for %s', async (_, find) => {
    const { database } = service;
    const expected = await database.read(async em => seen(await find(em, own)));
    for (const _ of [1, 2]) {
      const again = vi.fn((em: EntityManager) => find(em).then(seen));
      expect(await builtIn(() => database.read(again))).toBeGreaterThan(0);
      expect(await again.mock.results[0]?.value).toEqual(expected);
    }
  });

  test('is sent once for all values, with the values as parameters', async () => {
    const { database } = service;
    await database.read(em => em.findOne(Person, { email: 'x' }));
    await database.read(async em => {
      expect(await em.findOne(Person, { email: `'; drop table person; --` })).toBeNull();
      expect(await em.findOne(Person, { email: 'd@e.f' })).toMatchObject({ id: 2, active: false });
      expect(await em.findOneOrFail(Person, { email: 'a@b.c' })).toMatchObject({ id: 1, code: 'ABC' });
      await expect(em.findOneOrFail(Person, { email: 'nobody' })).rejects.toThrow(/Person not found/);
    });
  });

  test('gives what is in memory, and reads a reference that was not loaded', async () => {
    await service.database.session(async em => {
      const reference = em.getReference(Person, 2);
      const found = await em.findOne(Person, { id: 2 });
      expect(found).toBe(reference);
      expect(reference.email).toBe('d@e.f');
      const again = async () => expect(await em.findOne(Person, { id: 2 })).toBe(reference);
      expect(await statementsIn(again)).toBe(0);
      reference.age = 77;
      expect(await em.findOne(Person, { email: 'd@e.f' })).toBe(reference);
      expect(reference.age).toBe(77);
      em.clear();
    });
  });

  test('sees what the session has made and not stored yet', async () => {
    await service.database.read(em => em.findOne(Person, { email: 'x' }));
    const rollback = new Error('rollback');
    const work = service.database.session(async em => {
      em.create(Person, { id: 50, email: 'new@b.c' });
      expect(await em.findOne(Person, { email: 'new@b.c' })).toMatchObject({ id: 50 });
      throw rollback;
    });
    await expect(work).rejects.toBe(rollback);
  });

  test('calls the hooks of what it loads, once', async () => {
    await service.database.read(em => em.findOne(Person, { id: 1 }));
    loaded = [];
    await service.database.read(em => em.findOne(Person, { id: 1 }));
    expect(loaded).toEqual(['a@b.c']);
  });

  test('stores a change of what it has found', async () => {
    const { database } = service;
    await database.read(em => em.findOne(Team, { id: 1 }));
    await database.session(async em => {
      const team = await em.findOneOrFail(Team, { id: 1 });
      team.title = 'changed';
    });
    expect(await database.read(em => em.findOne(Team, { id: 1 }))).toMatchObject({ title: 'changed' });
    await database.session(em => em.nativeUpdate(Team, { id: 1 }, { title: 'one' }));
  });

  test('keeps out what a filter of the EntityManager hides, in its forks too', async () => {
    await service.database.read(em => em.findOne(Team, { id: 1 }));
    await service.database.read(async em => {
      em.addFilter({ name: 'none', cond: { title: 'none' }, entity: [Team] });
      expect(await em.findOne(Team, { id: 1 })).toBeNull();
      expect(await em.fork({ keepTransactionContext: true }).findOne(Team, { id: 1 })).toBeNull();
    });
    expect(await service.database.read(em => em.findOne(Team, { id: 1 }))).toMatchObject({ id: 1 });
  });

  test('asks the filters of an entity, and of what it refers to, each time', async () => {
    const { database } = service;
    const find = () => database.read(async em => [await em.findOne(Hidden, 1), (await em.findOne(Pointer, 1))?.hidden]);
    hides = false;
    expect(await find()).toMatchObject([{ id: 1 }, { id: 1 }]);
    hides = true;
    expect(await find()).toEqual([null, null]);
    hides = false;
  });

  test('fails as the same read of MikroORM does', async () => {
    const { database } = service;
    await database.read(em => em.findOne(Person, { age: 1 }));
    const failure = (options?: object) =>
      database.read(em => em.findOne(Person, { age: 3_000_000_000 }, options)).catch((error: unknown) => error);
    const [expected, found] = [await failure(own), await failure()];
    expect(expected).toEqual(found);
    await expect(database.read(em => em.findOne(Person, { token: 'no uuid' }))).rejects.toThrow(QueryError);
    await expect(database.read(em => em.findOne(Person, { token: 'no uuid' }))).rejects.toThrow(QueryError);
  });

  test('does not give a shape of one entity the text of another', async () => {
    await service.database.read(async em => {
      expect(await em.findOne(Team, { id: 1 })).toMatchObject({ title: 'one' });
      expect(await em.findOne(Person, { id: 1 })).toMatchObject({ email: 'a@b.c' });
      expect(await em.findOne(Team, { id: 1, title: 'two' })).toBeNull();
    });
  });
});

type Update = (em: EntityManager, options?: object) => Promise<number>;

const plainUpdates: readonly (readonly [string, Update])[] = [
  ['a text by the key', (em, options) => em.nativeUpdate(Person, { id: 1 }, { email: `?'"\\$1` }, options)],
  ['a text by the key alone', (em, options) => em.nativeUpdate(Person, 2, { email: 'x' }, options)],
  [
    'several values',
    (em, options) => em.nativeUpdate(Person, { id: 1 }, { age: 4, score: 1.25, active: false }, options),
  ],
  ['every row of several', (em, options) => em.nativeUpdate(Person, { version: 1 }, { age: 8 }, options)],
  ['an entity without a version', (em, options) => em.nativeUpdate(Team, { id: 1 }, { title: 'two' }, options)],
  ['no row', (em, options) => em.nativeUpdate(Person, { id: 99 }, { age: 4 }, options)],
  [
    'a sum, where there is enough',
    (em, options) => em.nativeUpdate(Person, { id: 1, age: { $gte: 3 } }, { age: sql<number>`age - ${3}` }, options),
  ],
  [
    'a sum, where there is not enough',
    (em, options) => em.nativeUpdate(Person, { id: 1, age: { $gt: 30 } }, { age: sql<number>`age - ${3}` }, options),
  ],
  ['another sum', (em, options) => em.nativeUpdate(Person, { id: 1 }, { age: sql<number>`age + ${3} + age` }, options)],
  ['with a comparison', (em, options) => em.nativeUpdate(Person, { id: { $ne: 1 } }, { score: 2.5 }, options)],
  ['by a value that a type converts', (em, options) => em.nativeUpdate(Person, { code: 'abc' }, { age: 5 }, options)],
  ['by a bigint', (em, options) => em.nativeUpdate(Person, { visits: 9_007_199_254_740_993n }, { age: 6 }, options)],
];

const updatesLeftToMikroOrm: typeof plainUpdates = [
  ['null', (em, options) => em.nativeUpdate(Person, { id: 1 }, { age: null }, options)],
  ['a date', (em, options) => em.nativeUpdate(Person, { id: 1 }, { seenAt: new Date(0) }, options)],
  ['a value that a type converts', (em, options) => em.nativeUpdate(Person, { id: 1 }, { code: 'low' }, options)],
  ['JSON', (em, options) => em.nativeUpdate(Person, { id: 1 }, { notes: { a: 1 } }, options)],
  ['a relation', (em, options) => em.nativeUpdate(Person, { id: 1 }, { team: null }, options)],
  ['a list of keys', (em, options) => em.nativeUpdate(Person, { id: [1, 2] }, { age: 1 }, options)],
  ['two comparisons', (em, options) => em.nativeUpdate(Person, { id: { $gt: 0, $lt: 2 } }, { age: 1 }, options)],
  ['an alternative', (em, options) => em.nativeUpdate(Person, { $or: [{ id: 1 }, { id: 2 }] }, { age: 1 }, options)],
  ['a pattern', (em, options) => em.nativeUpdate(Person, { email: { $like: 'a%' } }, { age: 1 }, options)],
  ['no condition', (em, options) => em.nativeUpdate(Person, {}, { age: 1 }, options)],
  ['a filtered entity', (em, options) => em.nativeUpdate(Hidden, { id: 1 }, { visible: 'no' }, options)],
  ['a class of a hierarchy', (em, options) => em.nativeUpdate(Cat, { id: 1 }, { lives: 8 }, options)],
];

describe('an update whose text is known', () => {
  /** What `update` changes, in a transaction that is rolled back. */
  async function changed(update: Update, options?: object): Promise<unknown> {
    let seenRows: unknown;
    const rollback = new Error('rollback');
    const work = service.database.session(async em => {
      const count = await update(em, options);
      const rows = (table: string) => em.execute(`select * from "${table}" order by id`);
      seenRows = {
        count,
        people: await rows('person'),
        teams: await rows('team'),
        hidden: await rows('hidden'),
        animals: await rows('animal'),
      };
      throw rollback;
    });
    await expect(work).rejects.toBe(rollback);
    return seenRows;
  }
  const anyOption = { comments: [] };

  test.each(plainUpdates)('sets %s as MikroORM does, and counts the rows', async (_, update) => {
    const expected = await changed(update, anyOption);
    await changed(update);
    let found: unknown;
    const again = async () => {
      found = await changed(update);
    };
    expect(await builtIn(again)).toBe(0);
    expect(found).toEqual(expected);
  });

  test.each(updatesLeftToMikroOrm)('is not kept for %s', async (_, update) => {
    const expected = await changed(update, anyOption);
    for (const _ of [1, 2]) {
      let found: unknown;
      const again = async () => {
        found = await changed(update);
      };
      expect(await builtIn(again)).toBeGreaterThan(0);
      expect(found).toEqual(expected);
    }
  });

  test('fails as the same update of MikroORM does', async () => {
    const failure = (options?: object) =>
      service.database
        .session(em => em.nativeUpdate(Person, { id: 2 }, { email: 'a@b.c' }, options))
        .catch((error: unknown) => error);
    const expected = await failure(anyOption);
    expect(expected).toBeInstanceOf(QueryError);
    // The first has failed, so that there is nothing to learn from it.
    await service.database.session(em => em.nativeUpdate(Person, { id: 99 }, { email: 'a@b.c' }));
    expect(await failure()).toEqual(expected);
  });

  test('leaves out what a filter of the EntityManager hides', async () => {
    const update: Update = em => em.nativeUpdate(Team, { id: 1 }, { title: 'hidden' });
    await changed(update);
    await service.database.session(async em => {
      em.addFilter({ name: 'none', cond: { title: 'none' }, entity: [Team] });
      expect(await update(em)).toBe(0);
    });
  });

  test('converts a value also after one that the conversion leaves as it is', async () => {
    const set =
      (code: string): Update =>
      em =>
        em.nativeUpdate(Person, { id: 1 }, { code });
    await changed(set('UP'));
    await changed(set('UP'));
    expect(await changed(set('low'))).toMatchObject({
      people: expect.arrayContaining([expect.objectContaining({ code: 'LOW' })]),
    });
  });

  test('keeps apart two fragments of SQL that differ', async () => {
    const rollback = new Error('rollback');
    const work = service.database.session(async em => {
      for (const each of [sql<number>`age + ${1}`, sql<number>`age * ${2}`, sql<number>`age + ${1}`])
        await em.nativeUpdate(Person, { id: 1 }, { age: each });
      expect(await em.findOne(Person, { id: 1 })).toMatchObject({ age: 63 });
      throw rollback;
    });
    await expect(work).rejects.toBe(rollback);
  });
});
