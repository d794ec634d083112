import { type EntityManager, QueryError } from '@keelson/database';
import { sql } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cat, CountedService, Hidden, Person, Team } from './plain-model.fixture.js';

let service: CountedService;

beforeAll(async () => {
  service = await CountedService.start();
});
afterAll(() => service[Symbol.asyncDispose]());

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
    expect(await service.builtIn(again)).toBe(0);
    expect(found).toEqual(expected);
  });

  test.each(updatesLeftToMikroOrm)('is not kept for %s', async (_, update) => {
    const expected = await changed(update, anyOption);
    for (const _ of [1, 2]) {
      let found: unknown;
      const again = async () => {
        found = await changed(update);
      };
      expect(await service.builtIn(again)).toBeGreaterThan(0);
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

  test('does not take a fragment of SQL for the properties that it reads like', async () => {
    const long: Update = em => em.nativeUpdate(Person, { id: 1 }, { active: sql<boolean>`not score = 2` });
    const short: Update = em =>
      em.nativeUpdate(Person, { id: 1 }, { active: sql<boolean>`not`, score: sql<number>`2` });
    await changed(long);
    await expect(service.database.session(em => short(em))).rejects.toThrow(QueryError);
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
