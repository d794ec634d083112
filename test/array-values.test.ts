import type { DatabaseService, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { emptyPgliteDump } from '@keelson/test-support/empty-pglite';
import { createPgliteService } from '@keelson/test-support/pglite-service';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { defineEntity, p } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const Sample = defineEntity({
  name: 'Sample',
  properties: {
    id: p.integer().primary(),
    note: p.string().nullable(),
    version: p.integer().version(),
    integers: p.integer().array().columnType('int[]').nullable(),
    converted: p.array<number>(Number).columnType('int[]').nullable(),
    bigs: p.bigint().array().columnType('bigint[]').nullable(),
    decimals: p.decimal('string').array().columnType('numeric[]').nullable(),
    doubles: p.double().array().columnType('float8[]').nullable(),
    booleans: p.boolean().array().columnType('boolean[]').nullable(),
    bytes: p.blob().array().columnType('bytea[]').nullable(),
    texts: p.string().array().columnType('text[]').nullable(),
    times: p.datetime().array().columnType('timestamptz[]').nullable(),
    moods: p.enum(['happy', 'sad']).nativeEnumName('mood').array().columnType('mood[]').nullable(),
    time: p.datetime().columnType('timestamptz').nullable(),
    local: p.datetime().columnType('timestamp').nullable(),
    double: p.double().nullable(),
    rate: p.decimal('number').columnType('numeric').nullable(),
  },
});

const create = `create table sample (id serial primary key, note text, version int not null default 1, integers int[],
  converted int[], bigs bigint[], decimals numeric[], doubles float8[], booleans boolean[], bytes bytea[], texts text[],
  times timestamptz[], moods mood[], "time" timestamptz, local timestamp, "double" float8, rate numeric)`;

type Value = readonly [property: string, value: unknown, text: string];

const values: readonly Value[] = [
  [
    'integers',
    [
      [[1], [2]],
      [[3], [null]],
    ],
    '{{{1},{2}},{{3},{NULL}}}',
  ],
  [
    'converted',
    [
      [1, 2],
      [3, 4],
    ],
    '{{1,2},{3,4}}',
  ],
  ['converted', [1, null], '{1,NULL}'],
  ['bigs', [[1n, 9_007_199_254_740_993n]], '{{1,9007199254740993}}'],
  ['decimals', ['12345678901234567890.12', '1.10'], '{12345678901234567890.12,1.10}'],
  ['decimals', [['NaN', '-0.0000000001']], '{{NaN,-0.0000000001}}'],
  [
    'doubles',
    [
      [1.5, Number.NaN],
      [-0.25, Number.POSITIVE_INFINITY],
    ],
    '{{1.5,NaN},{-0.25,Infinity}}',
  ],
  [
    'booleans',
    [
      [true, false],
      [false, null],
    ],
    '{{t,f},{f,NULL}}',
  ],
  ['booleans', [null], '{NULL}'],
  ['bytes', [[Buffer.from([1])], [Buffer.from([0, 255])]], '{{"\\\\x01"},{"\\\\x00ff"}}'],
  [
    'texts',
    [
      ['a,"b"', 'null'],
      [' c ', null],
    ],
    '{{"a,\\"b\\"","null"},{" c ",NULL}}',
  ],
  ['times', [[new Date(0)], [new Date(1)]], '{{"1970-01-01 00:00:00+00"},{"1970-01-01 00:00:00.001+00"}}'],
  ['moods', ['sad', 'happy'], '{sad,happy}'],
  ['time', new Date('-000043-03-15T12:00:00Z'), '0044-03-15 12:00:00+00 BC'],
  ['time', new Date('0000-06-01T00:00:00Z'), '0001-06-01 00:00:00+00 BC'],
  ['time', new Date('+012345-01-02T03:04:05.678Z'), '12345-01-02 03:04:05.678+00'],
  ['local', new Date('-000043-03-15T12:00:00Z'), '0044-03-15 12:00:00 BC'],
  ['local', new Date('+012345-01-02T03:04:05.678Z'), '12345-01-02 03:04:05.678'],
  ['double', Number.NaN, 'NaN'],
  ['double', Number.NEGATIVE_INFINITY, '-Infinity'],
  ['rate', Number.POSITIVE_INFINITY, 'Infinity'],
];

let testDatabase: TestDatabase;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
});
afterAll(() => testDatabase[Symbol.asyncDispose]());

const models = [{ entities: [Sample] }];

describe.each([
  ['PostgreSQL', async () => createPostgresqlService({ url: testDatabase.url, models })],
  ['PGlite', async () => createPgliteService({ models, dump: await emptyPgliteDump() })],
] as const)('on %s, by each way of writing, this is stored and read as it is', (_, open) => {
  let database: DatabaseService;

  beforeAll(async () => {
    ({ database } = await open());
    await database.connect();
    await database.session(em => em.execute("create type mood as enum ('happy', 'sad')"));
    await database.session(em => em.execute(create));
  }, 120_000);
  afterAll(() => database.disconnect());

  const updateTwo = async (em: EntityManager, changed: object) => {
    const two = [5, 6].map(id => em.create(Sample, { id, note: 'new' }));
    await em.flush();
    for (const one of two) Object.assign(one, changed);
  };

  test.each(values)('%s: %o', async (property, value, text) => {
    const row = { [property]: value };
    await database.session(async em => {
      await em.execute('truncate sample restart identity');
      em.create(Sample, row);
      await em.flush();
      await em.insertMany(
        Sample,
        [2, 3].map(id => ({ id, version: 1, ...row })),
      );
      await em.upsert(Sample, { id: 4, version: 1, ...row });
      await updateTwo(em, row);
      await em.flush();
      await em.insert(Sample, { id: 7, version: 1 });
      await em.nativeUpdate(Sample, { id: 7 }, row);
    });
    await database.bulkInsert(Sample, [{ id: 8, ...row }]);
    const read = await database.session(em => em.find(Sample, {}, { orderBy: { id: 'asc' } }));
    expect(read.map(one => Reflect.get(one, property))).toEqual(Array.from({ length: 8 }, () => value));
    const stored = await database.read(em =>
      em.execute<{ text: string; version: number }[]>(
        `select "${property}"::text as text, version from sample order by id`,
      ),
    );
    expect(stored.map(one => one.text)).toEqual(Array.from({ length: 8 }, () => text));
    // To read them has changed nothing.
    expect(stored.map(({ version }) => version)).toEqual([1, 1, 1, 1, 2, 2, 2, 1]);
  });
});
