import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, FullTextType, MikroORM, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const Inner = defineEntity({
  name: 'Inner',
  embeddable: true,
  properties: { amount: p.decimal('string').precision(40).scale(10).nullable() },
});

const Value = defineEntity({
  name: 'Value',
  properties: {
    id: p.integer().primary(),
    amount: p.decimal('string').precision(40).scale(10).nullable(),
    rate: p.decimal('number').columnType('numeric').nullable(),
    double: p.double().nullable(),
    float: p.float().nullable(),
    due: p.datetime().nullable(),
    local: p.datetime().columnType('timestamp').nullable(),
    words: p.type(new FullTextType('simple')).$type<string>().nullable(),
    inner: () => p.embedded(Inner).nullable(),
    note: p.string().nullable(),
    changedAt: p
      .integer()
      .onUpdate(({ changedAt }) => (changedAt ?? 0) + 1)
      .default(0),
    version: p.integer().version(),
  },
});

const numbers = ['rate', 'double', 'float'] as const;

describe('a value at the edge of its type', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let database: DatabaseService;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    await using orm = await MikroORM.init({ clientUrl: testDatabase.url, entities: [Value, Inner] });
    await orm.schema.create();
    service = await connectPostgresqlService({ url: testDatabase.url, models: [{ entities: [Value, Inner] }] });
    database = service.database;
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });
  beforeEach(() => database.session(em => em.execute('truncate value restart identity')));

  const storedAs = async (column: string) => {
    const rows: { text: string | null }[] = await database.read(em =>
      em.execute(`select "${column}"::text as text from value order by id`),
    );
    return rows.map(({ text }) => text);
  };

  test.each([
    ['12345678901234567890.0000000001', '12345678901234567890.0000000002'],
    ['0.0000000001', '0.0000000002'],
    ['9007199254740993', '9007199254740992'],
    ['-1', '1'],
    ['1', 'NaN'],
    ['NaN', '0'],
  ])('is stored when a decimal changes from %s to %s', async (before, after) => {
    await database.session(async em => void em.create(Value, { amount: before, inner: { amount: before } }));
    await database.session(async em => {
      const value = await em.findOneOrFail(Value, 1);
      value.amount = after;
      Object.assign(Object(value.inner), { amount: after });
    });
    const value = await database.read(em => em.findOneOrFail(Value, 1));
    expect([Number(value.amount), Number(value.inner?.amount)]).toEqual([Number(after), Number(after)]);
    expect(await storedAs('amount')).toEqual(await storedAs('inner_amount'));
    if (after !== 'NaN') expect((await storedAs('amount'))[0]).toContain(after);
  });

  test.each([
    ['1.50', '1.5'],
    ['1.5', '0001.500'],
    ['100', '1e2'],
    ['0', '-0'],
    ['0.5', '.5'],
    ['12345678901234567890', '12345678901234567890.0'],
  ])('sends nothing when a decimal of %s is written as %s', async (before, after) => {
    await database.session(async em => void em.create(Value, { amount: before }));
    await database.session(async em => Object.assign(await em.findOneOrFail(Value, 1), { amount: after }));
    expect(await storedAs('version')).toEqual(['1']);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'is stored as the number %s by each way of writing, and read again',
    async number => {
      const values = Object.fromEntries(numbers.map(name => [name, number]));
      await database.session(async em => void em.create(Value, values));
      await database.session(async em => Object.assign(em.create(Value, {}), await em.flush(), values));
      await database.session(em => em.insert(Value, { changedAt: 0 }));
      for (const _ of [1, 2]) await database.session(em => em.nativeUpdate(Value, { id: 3 }, values));
      await database.session(em => em.upsert(Value, { id: 4, ...values }));
      await database.bulkInsert(Value, [{ id: 5, ...values }]);
      const all = await database.read(em => em.find(Value, {}, { orderBy: { id: 'asc' } }));
      expect(all.map(({ rate, double, float }) => [rate, double, float])).toEqual(
        Array.from({ length: 5 }, () => [number, number, number]),
      );
      const found = await database.read(em => em.find(Value, { double: number }));
      expect(found).toHaveLength(5);
    },
  );

  test('that is no number is not sent again by a session that loads it and changes nothing, or another value', async () => {
    await database.session(em =>
      em.execute(`insert into value (amount, rate, double, float, changed_at, version)
      values ('NaN', 'NaN', 'NaN', 'NaN', 0, 1)`),
    );
    await database.session(em => em.findOneOrFail(Value, 1));
    expect([await storedAs('version'), await storedAs('changed_at')]).toEqual([['1'], ['0']]);
    await database.session(async em => Object.assign(await em.findOneOrFail(Value, 1), { note: 'changed' }));
    expect([await storedAs('version'), await storedAs('note')]).toEqual([['2'], ['changed']]);
    expect(await storedAs('double')).toEqual(['NaN']);
  });

  test.each(['infinity', '-infinity', '0044-03-15 12:00:00 BC'])(
    'is read, and not stored again, as the time %s',
    async time => {
      await database.session(em =>
        em.execute(`insert into value (due, local, changed_at) values ('${time}', '${time}', 0)`),
      );
      const before = [await storedAs('due'), await storedAs('local')];
      for (const _ of [1, 2]) {
        const { due } = await database.read(em => em.findOneOrFail(Value, { id: 1 }));
        expect(due).toBeInstanceOf(Date);
      }
      await database.session(async em => Object.assign(await em.findOneOrFail(Value, 1), { note: 'changed' }));
      expect([await storedAs('due'), await storedAs('local')]).toEqual(before);
      expect(await storedAs('note')).toEqual(['changed']);
    },
  );

  test('is refused when it is a date that the code has made invalid', async () => {
    await database.session(async em => void em.create(Value, { due: new Date(0) }));
    const changing = database.session(async em => {
      Object.assign(await em.findOneOrFail(Value, 1), { due: new Date('nonsense') });
    });
    const refusal = { code: 'DATABASE_QUERY_FAILED', kind: 'invalid-value', http: { status: 422 } };
    await expect(changing).rejects.toMatchObject(refusal);
    const updates = [1, 2].map(id => ({ id, due: new Date(Number.NaN), version: 1 }));
    const ways: readonly ((em: EntityManager) => Promise<unknown>)[] = [
      (em: EntityManager) => em.insertMany(Value, updates),
      (em: EntityManager) => em.nativeUpdate(Value, { id: 1 }, { due: new Date(Number.NaN) }),
      (em: EntityManager) => em.find(Value, { due: { $gt: new Date(Number.NaN) } }),
    ];
    for (const way of ways) await expect(database.session(em => way(em))).rejects.toMatchObject(refusal);
    expect(await storedAs('version')).toEqual(['1']);
  });

  test('may be left out of an upsert when it is a decimal', async () => {
    const note = await database.session(async em => (await em.upsert(Value, { id: 1, note: 'upserted' })).note);
    expect([note, await storedAs('note'), await storedAs('amount')]).toEqual(['upserted', ['upserted'], [null]]);
  });

  test('is written by a bulk insert as by a flush when its type writes it in SQL', async () => {
    await database.session(async em => void em.create(Value, { words: 'a fat cat' }));
    await database.bulkInsert(Value, [{ words: 'a fat cat' }, { note: 'without' }]);
    expect(await storedAs('words')).toEqual(["'a':1 'cat':3 'fat':2", "'a':1 'cat':3 'fat':2", null]);
  });
});
