import { type EntityManager, QueryError } from '@keelson/database';
import { helper, wrap } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  Animal,
  Cat,
  CountedService,
  Eager,
  Hidden,
  Holder,
  model,
  Pair,
  Person,
  Pointer,
  Sum,
  Team,
  token,
} from './plain-model.fixture.js';

let service: CountedService;

beforeAll(async () => {
  service = await CountedService.start();
});
afterAll(() => service[Symbol.asyncDispose]());

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
    expect(await service.builtIn(() => database.read(again))).toBe(0);
    expect(await again.mock.results[0]?.value).toEqual(expected);
  });

  test.each(leftToMikroOrm)('is not kept for %s', async (_, find) => {
    const { database } = service;
    const expected = await database.read(async em => seen(await find(em, own)));
    for (const _ of [1, 2]) {
      const again = vi.fn((em: EntityManager) => find(em).then(seen));
      expect(await service.builtIn(() => database.read(again))).toBeGreaterThan(0);
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
      await expect(em.findOneOrFail(Person, { email: 'not there' })).rejects.toThrow(/Person not found/);
    });
  });

  test('gives what is in memory, and reads a reference that was not loaded', async () => {
    await service.database.session(async em => {
      const reference = em.getReference(Person, 2);
      const found = await em.findOne(Person, { id: 2 });
      expect(found).toBe(reference);
      expect(reference.email).toBe('d@e.f');
      const again = async () => expect(await em.findOne(Person, { id: 2 })).toBe(reference);
      expect(await service.sentIn(again)).toBe(0);
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
    model.loaded.length = 0;
    await service.database.read(em => em.findOne(Person, { id: 1 }));
    expect(model.loaded).toEqual(['a@b.c']);
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
    model.hides = false;
    expect(await find()).toMatchObject([{ id: 1 }, { id: 1 }]);
    model.hides = true;
    expect(await find()).toEqual([null, null]);
    model.hides = false;
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
