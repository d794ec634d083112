import type { DatabaseModel, DatabaseService } from '@keelson/database';
import { untilAtRest } from '@keelson/test-support/at-rest';
import { eventually } from '@keelson/test-support/eventually';
import type { TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type ProxiedService, startProxiedService } from '@keelson/test-support/test-service';
import { defineEntity, p, raw } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const Owner = defineEntity({
  name: 'Owner',
  tableName: 'owner',
  properties: { id: p.integer().primary(), name: p.string() },
});

const Sample = defineEntity({
  name: 'Sample',
  tableName: 'sample',
  properties: {
    id: p.integer().primary(),
    code: p.string().nullable(),
    takenAt: p.datetime().columnType('timestamptz(3)').nullable(),
    localTime: p.datetime().columnType('timestamp(3)').nullable(),
    day: p.date().nullable(),
    count: p.bigint().nullable(),
    ratio: p.double().nullable(),
    price: p.decimal('string').precision(20).scale(4).nullable(),
    good: p.boolean().nullable(),
    colour: p.enum(['red', 'green']).nullable(),
    bytes: p.blob().nullable(),
    details: p.json<string | number | boolean | object>().nullable(),
    tags: p.array().nullable(),
    parts: p.array().$type<Buffer[]>().columnType('bytea[]').nullable(),
    places: p
      .array(text => Number(text))
      .columnType('integer[]')
      .nullable(),
    owner: () => p.manyToOne(Owner).nullable(),
    state: p.string().default('new'),
  },
});

class CreateSamples extends Migration {
  override async up(): Promise<void> {
    this.addSql('create table owner (id serial primary key, name text not null)');
    this.addSql(`create table sample (
      id serial primary key, code text, taken_at timestamptz(3), local_time timestamp(3), day date, count bigint,
      ratio double precision, price numeric(20,4), good boolean, colour text, bytes bytea, details jsonb, tags text[], parts bytea[],
      places integer[], owner_id integer references owner, state text not null default 'new',
      constraint sample_code_unique unique (code), constraint sample_count_check check (count >= -9223372036854775808),
      constraint sample_state_check check (state <> 'bad'))`);
  }
}

const model: DatabaseModel = { entities: [Owner, Sample], migrations: [CreateSamples] };

describe('a bulk insert', () => {
  let proxy: TcpProxy;
  let service: ProxiedService;
  let database: DatabaseService;

  beforeAll(async () => {
    service = await startProxiedService({ models: [model], options: { pool: { max: 3 } } });
    ({ proxy, database } = service);
  });

  beforeEach(() => database.session(em => em.execute('truncate sample, owner')));

  afterAll(() => service[Symbol.asyncDispose]());

  const stored = () => database.session(em => em.count(Sample));
  const codes = (count: number) => Array.from({ length: count }, (_, index) => ({ code: `code ${index}` }));

  test('loads rows with COPY, and what a row leaves out gets its default', async () => {
    const recording = proxy.recording();
    expect(await database.bulkInsert(Sample, codes(12), { chunkSize: 5 })).toMatchObject({ done: 12, chunks: 3 });
    expect(recording.statements.flat().filter(sql => sql.startsWith('copy'))).toEqual(
      Array(3).fill('copy "sample" ("code", "state") from stdin'),
    );
    const [first] = await database.session(em => em.find(Sample, {}, { orderBy: { id: 1 } }));
    expect(first).toMatchObject({ code: 'code 0', state: 'new', tags: null });
  });

  test('is one transaction, inside a session part of it', async () => {
    const session = database.session(async em => {
      await database.bulkInsert(Sample, codes(3));
      expect(await em.count(Sample)).toBe(3);
      throw new Error('after all not');
    });
    await expect(session).rejects.toThrow('after all not');
    expect(await stored()).toBe(0);
  });

  const text = fc.string({ unit: 'grapheme' }).filter(value => !value.includes('\0'));
  const awkward = fc.constantFrom(
    '',
    '\\N',
    '\\.',
    'null',
    'NULL',
    'a\tb',
    'a\nb\r\n',
    '\\',
    '"',
    '{}',
    '\b\f\v',
    ' x ',
  );
  const anyText = fc.oneof(text, awkward);
  const date = fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true });
  const json = fc
    .jsonValue()
    .map(value => value ?? 0)
    .filter(value => !JSON.stringify(value).includes('\\u0000'));
  const row = fc.record({
    code: fc.option(anyText),
    takenAt: fc.option(date),
    localTime: fc.option(date),
    day: fc.option(date.map(value => value.toISOString().slice(0, 10))),
    count: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    ratio: fc.option(fc.double({ noNaN: false })),
    price: fc.option(fc.integer().map(value => (value / 10_000).toFixed(4))),
    good: fc.option(fc.boolean()),
    colour: fc.option(fc.constantFrom('red' as const, 'green' as const)),
    bytes: fc.option(fc.uint8Array().map(bytes => Buffer.from(bytes))),
    details: fc.option(json),
    tags: fc.option(fc.array(anyText)),
    places: fc.option(fc.array(fc.integer())),
  });

  test('stores an array of bytes, quotes, backslashes and commas included', async () => {
    const parts = [Buffer.from([0, 92, 34, 255]), Buffer.from('a,b'), Buffer.alloc(0)];
    await database.bulkInsert(Sample, [{ parts }]);
    const [stored] = await database.session(em => em.execute('select parts[1] a, parts[2] b, parts[3] c from sample'));
    expect(stored).toEqual({ a: parts[0], b: parts[1], c: parts[2] });
  });

  test('what goes in comes out, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(row, { selector: ({ code }) => code ?? Symbol('none') }), async rows => {
        await database.session(async em => {
          await em.nativeDelete(Sample, {});
          await database.bulkInsert(Sample, rows);
          const found = await em.find(Sample, {}, { orderBy: { id: 1 }, disableIdentityMap: true });
          expect(found.map(each => pick(each, row0))).toEqual(rows.map(each => pick(normal(each), row0)));
        });
      }),
      // Without making the case smaller: that takes longer than a test may.
      { numRuns: 60, endOnFailure: true },
    );
  });

  test('writes the same as insertMany', async () => {
    await database.session(em => em.insertMany(Owner, [{ id: 7, name: 'Ada' }]));
    const one = {
      takenAt: new Date('2026-01-02T03:04:05.678Z'),
      localTime: new Date('2026-01-02T03:04:05.678Z'),
      day: '2026-01-02',
      count: 12n,
      ratio: 1.5e300,
      price: '1.5000',
      good: false,
      bytes: Buffer.from([0, 92, 255]),
      details: { deep: [1, 'two\n', null] },
      tags: ['a b', 'c"d'],
      places: [1, 2],
      owner: 7,
    };
    await database.session(em => em.insertMany(Sample, [structuredClone(one)]));
    await database.bulkInsert(Sample, [one]);
    const [inserted, copied] = await database.session(em => em.execute('select * from sample order by id'));
    expect({ ...copied, id: 0 }).toEqual({ ...inserted, id: 0 });
  });

  test('takes an entity where a relation stands', async () => {
    await database.session(async em => {
      const owner = em.create(Owner, { name: 'Ada' });
      await em.flush();
      await database.bulkInsert(Sample, [{ code: 'one', owner }]);
      expect(await em.count(Sample, { owner })).toBe(1);
    });
  });

  test('rows that name different columns go together', async () => {
    const rows = [{ code: 'a' }, { code: 'b', state: 'old' }, { state: 'older' }, { code: 'c', state: undefined }];
    await database.bulkInsert(Sample, rows as typeof codesType);
    const found = await database.session(em => em.find(Sample, {}, { orderBy: { state: 1, code: 1 } }));
    expect(found.map(({ code, state }) => [code, state])).toEqual([
      ['a', 'new'],
      ['c', 'new'],
      ['b', 'old'],
      [null, 'older'],
    ]);
  });

  test('what COPY cannot say goes by INSERT', async () => {
    const recording = proxy.recording();
    await database.bulkInsert(Sample, [{ code: raw(`upper('abc')`) }, { code: 'b' }]);
    expect(recording.statements.flat().some(sql => sql.startsWith('copy'))).toBe(false);
    expect(await database.session(em => em.count(Sample, { code: 'ABC' }))).toBe(1);
    expect(await stored()).toBe(2);
  });

  test('leaves the rows it is given as they are', async () => {
    const rows = [{ code: 'a', details: { missing: undefined } }];
    await database.bulkInsert(Sample, rows);
    expect(rows).toEqual([{ code: 'a', details: { missing: undefined } }]);
    expect(Object.keys(rows[0] ?? {})).toEqual(['code', 'details']);
  });

  describe('says which row was refused', () => {
    const at = (index: number, bad: object, count = 20) =>
      codes(count).map((each, position) => (position === index ? { ...each, ...bad } : each));

    test.each([
      ['a duplicate', { code: 'code 3' }, { kind: 'unique', facts: { constraint: 'sample_code_unique' } }],
      ['a check', { state: 'bad' }, { kind: 'check', facts: { constraint: 'sample_state_check' } }],
      ['a relation to nothing', { owner: 4711 }, { kind: 'foreign-key' }],
      ['a number that is none', { ratio: 'much' }, { kind: 'invalid-value' }],
    ])('%s', async (_name, bad, expected) => {
      const rows = at(17, bad);
      const inserted = database.bulkInsert(Sample, rows as typeof codesType, { chunkSize: 10 });
      await expect(inserted).rejects.toMatchObject({ code: 'DATABASE_QUERY_FAILED', ...expected });
      await expect(inserted).rejects.toMatchObject({ facts: { itemIndex: 17 } });
      expect(await stored()).toBe(0);
      await untilAtRest(database);
    });

    test('a null', async () => {
      const rows = [{ name: 'Ada' }, { name: null }] as { name: string }[];
      const expected = { kind: 'not-null', facts: { column: 'name', itemIndex: 1 } };
      await expect(database.bulkInsert(Owner, rows)).rejects.toMatchObject(expected);
    });

    test('in the first attempt, from the line that the server names', async () => {
      const recording = proxy.recording();
      const inserted = database.bulkInsert(Sample, at(17, { state: 'bad' }));
      await expect(inserted).rejects.toMatchObject({ facts: { itemIndex: 17 } });
      expect(recording.statements.flat().filter(sql => sql.startsWith('copy')).length).toBeLessThanOrEqual(2);
    });

    test.each([
      ['a date that is none', { takenAt: new Date(Number.NaN) }, '/17/takenAt'],
      ['an array that is none', { tags: 17 }, '/17/tags'],
      ['a NUL', { code: 'a\0b' }, '/17/code'],
      ['half of a surrogate pair in an array', { tags: ['a\ud800'] }, '/17/tags'],
    ])('%s, before anything is sent', async (_name, bad, path) => {
      const inserted = database.bulkInsert(Sample, at(17, bad) as typeof codesType);
      await expect(inserted).rejects.toMatchObject({ code: 'DATABASE_VALIDATION_FAILED', errors: [{ path }] });
    });

    test('a row that is none', async () => {
      const rows = [{ code: 'a' }, null, { code: 'b' }] as typeof codesType;
      await expect(database.bulkInsert(Sample, rows)).rejects.toMatchObject({
        code: 'DATABASE_VALIDATION_FAILED',
        errors: [{ path: '/1' }],
      });
    });

    test('without its values', async () => {
      const secret = 'a secret that must not leak';
      const inserted = database.bulkInsert(Sample, [{ code: secret }, { code: secret }]);
      const error = await inserted.catch((caught: unknown) => caught);
      expect(error).toMatchObject({ facts: { itemIndex: 1 } });
      expect(JSON.stringify(error) + String(error) + String((error as Error).cause)).not.toContain(secret);
    });
  });

  test('a source that fails leaves nothing stored, and the connection usable', async () => {
    async function* source() {
      yield* codes(25);
      throw new Error('the file ends in the middle');
    }
    await expect(database.bulkInsert(Sample, source(), { chunkSize: 10 })).rejects.toThrow('the file ends');
    expect(await stored()).toBe(0);
    await untilAtRest(database);
  });

  const outside = (sql: string) => database.session(em => em.execute(sql), { nested: 'separate' });

  test('an abort ends a COPY that waits on the server, and nothing is stored', async () => {
    const controller = new AbortController();
    await database.session(async em => {
      await em.execute('lock table sample in exclusive mode');
      const waiting = database.bulkInsert(Sample, codes(5), { nested: 'separate', signal: controller.signal });
      const inserted = waiting.catch((error: unknown) => error);
      await eventually(async () => {
        const found = await outside(
          `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'copy%' and datname = current_database()`,
        );
        return found.length > 0;
      });
      controller.abort(new Error('enough'));
      expect(await inserted).toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
      await eventually(async () => {
        const found = await outside(
          `select 1 from pg_stat_activity where query like 'copy%' and state = 'active' and datname = current_database()`,
        );
        return found.length === 0;
      });
    });
    expect(await stored()).toBe(0);
    await untilAtRest(database);
  });

  test('a connection lost in the middle is taken up again when the rows can be read again', async () => {
    let lost = false;
    await database.bulkInsert(Sample, codes(25), {
      chunkSize: 10,
      onProgress: async ({ chunks }) => {
        if (chunks !== 2 || lost) return;
        lost = true;
        proxy.cut('reset');
      },
    });
    expect(await stored()).toBe(25);
    await untilAtRest(database);
  });
});

const codesType: { code: string }[] = [];
const row0 = [
  'code',
  'takenAt',
  'localTime',
  'day',
  'count',
  'ratio',
  'price',
  'good',
  'colour',
  'bytes',
  'details',
  'tags',
  'places',
];

function pick(from: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map(name => [name, Reflect.get(from, name)]));
}

/** JSON knows no negative zero, and a JSON null in a nullable column is a null. */
function normal<Row extends { details: unknown; ratio: number | null }>(row: Row): Row {
  const details = row.details === null ? null : JSON.parse(JSON.stringify(row.details));
  return { ...row, details, ratio: row.ratio === 0 ? 0 : row.ratio };
}
