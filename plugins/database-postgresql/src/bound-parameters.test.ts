import type { DatabaseModel, EntityManager } from '@keelson/database';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { connectPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { defineEntity, MikroORM, p, raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const Address = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: { street: p.string(), zip: p.string().nullable() },
});

const Publisher = defineEntity({
  name: 'Publisher',
  properties: { id: p.integer().primary(), name: p.string(), books: () => p.oneToMany(Book).mappedBy('publisher') },
});

const Label = defineEntity({
  name: 'Label',
  properties: { text: p.string().primary(), books: () => p.manyToMany(Book).mappedBy('labels') },
});

const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    blurb: p.text().nullable(),
    pages: p.integer().nullable(),
    small: p.smallint().nullable(),
    big: p.bigint('bigint').nullable(),
    rating: p.float().nullable(),
    ratio: p.double().nullable(),
    price: p.decimal('string').precision(10).scale(2).nullable(),
    sold: p.boolean().default(false),
    printedOn: p.date().nullable(),
    printedAt: p.datetime().nullable(),
    daily: p.time().nullable(),
    isbn: p.uuid().nullable(),
    details: p.json<object>().nullable(),
    cover: p.blob().nullable(),
    tags: p.array().nullable(),
    kind: p.enum(['novel', 'poem']).nullable(),
    flat: () => p.embedded(Address).nullable(),
    nested: () => p.embedded(Address).object().nullable(),
    several: () => p.embedded(Address).array().nullable(),
    version: p.integer().version(),
    publisher: () => p.manyToOne(Publisher).nullable(),
    labels: () => p.manyToMany(Label).owner(),
  },
});

const Pair = defineEntity({
  name: 'Pair',
  properties: { left: p.integer().primary(), right: p.string().primary(), note: p.string().nullable() },
});

const entities = [Publisher, Label, Book, Pair, Address];
const model: DatabaseModel = { entities };

/** Stands in every text that the corpus stores, so that a literal of it is found at the wire. */
const mark = 'sentinel';
const at = new Date('2026-02-03T04:05:06.789Z');

const full = (id: number) => ({
  id,
  title: `${mark} ${id} 'quoted' "double" \\ back ? ?? $1 :name`,
  blurb: `${mark}\nline\ttab é 漢 😀`,
  pages: 300 + id,
  small: -5,
  big: 9_007_199_254_740_993n,
  rating: 4.5,
  ratio: 1e-7,
  price: '12.30',
  sold: id % 2 === 0,
  printedOn: '2026-02-03',
  printedAt: at,
  daily: '04:05:06',
  isbn: '6f1a3c1e-0000-4000-8000-00000000000a',
  details: { [mark]: [1, null, { deep: `${mark}'` }], empty: {} },
  cover: Buffer.from([0, 39, 92, 255]),
  tags: [mark, 'a,b', '{c}', '"', ''],
  kind: 'novel' as const,
  flat: { street: `${mark} street`, zip: null },
  nested: { street: `${mark} street`, zip: '1' },
  several: [
    { street: `${mark} 1`, zip: null },
    { street: `${mark} 2`, zip: '2' },
  ],
});

type Feature = readonly [string, (em: EntityManager) => Promise<unknown>];

/** In order: later ones see what earlier ones have stored. */
const features: readonly Feature[] = [
  [
    'flush of every type',
    async em => {
      em.create(Book, full(1));
      em.create(Book, { id: 2, title: `${mark} bare` });
      await em.flush();
    },
  ],
  [
    'flush of several rows in one statement',
    async em => {
      for (const id of [3, 4, 5]) em.create(Book, full(id));
      await em.flush();
    },
  ],
  [
    'references and collections',
    async em => {
      const publisher = em.create(Publisher, { id: 1, name: `${mark} house` });
      const labels = [em.create(Label, { text: `${mark} a` }), em.create(Label, { text: `${mark} b` })];
      const book = await em.findOneOrFail(Book, 1, { populate: ['labels'] });
      book.publisher = publisher;
      book.labels.set(labels);
      await em.flush();
    },
  ],
  [
    'insertMany',
    em =>
      em.insertMany(Pair, [
        { left: 1, right: mark, note: null },
        { left: 2, right: `${mark}2`, note: mark },
      ]),
  ],
  ['upsert', em => em.upsert(Pair, { left: 1, right: mark, note: `${mark} again` })],
  [
    'upsertMany',
    em =>
      em.upsertMany(Pair, [
        { left: 1, right: mark, note: 'x' },
        { left: 3, right: mark, note: null },
      ]),
  ],
  ['find by key', em => em.findOne(Book, 1)],
  [
    'find by composite key',
    em =>
      em.find(Pair, [
        [1, mark],
        [2, `${mark}2`],
      ]),
  ],
  [
    'find by every type',
    em => {
      const { tags, details, several, nested, flat, cover, rating: _, ...plain } = full(1);
      return em.find(Book, { ...plain, flat: { street: flat.street } });
    },
  ],
  ['find by array operators', em => em.find(Book, { tags: { $contains: [mark] } }, { orderBy: { id: 1 } })],
  ['find by overlap', em => em.find(Book, { tags: { $overlap: ['a,b', 'nothing'] } }, { orderBy: { id: 1 } })],
  ['find by JSON', em => em.find(Book, { details: { [mark]: { $ne: null } } }, { orderBy: { id: 1 } })],
  ['find by embedded JSON', em => em.find(Book, { nested: { zip: '1' } }, { orderBy: { id: 1 } })],
  [
    'find with lists',
    em => em.find(Book, { id: { $in: [1, 2, 3] }, pages: { $nin: [7] } }, { orderBy: { id: -1 }, limit: 2, offset: 1 }),
  ],
  ['find with an empty list', em => em.find(Book, { id: { $in: [] } })],
  [
    'find with patterns',
    em =>
      em.find(
        Book,
        { title: { $ilike: `%${mark.toUpperCase()}%` }, blurb: { $like: `${mark}%` } },
        { orderBy: { id: 1 } },
      ),
  ],
  ['find with a regular expression', em => em.find(Book, { title: /^SENTINEL/i }, { orderBy: { id: 1 } })],
  [
    'find with comparisons',
    em =>
      em.find(
        Book,
        { printedAt: { $lte: at }, pages: { $gt: 300, $lt: 304 }, rating: { $gte: 4.5 } },
        { orderBy: { id: 1 } },
      ),
  ],
  [
    'find with or, not and null',
    em => em.find(Book, { $or: [{ blurb: null }, { $not: { pages: 301 } }] }, { orderBy: { id: 1 } }),
  ],
  [
    'find with relations, joined',
    em =>
      em.find(
        Book,
        { publisher: { name: { $like: `${mark}%` } } },
        { populate: ['publisher', 'labels'], orderBy: { id: 1 }, strategy: 'joined' },
      ),
  ],
  [
    'find with relations, selected',
    em => em.find(Book, {}, { populate: ['publisher', 'labels'], orderBy: { id: 1 }, strategy: 'select-in' }),
  ],
  ['find by a collection', em => em.find(Book, { labels: { text: `${mark} a` } }, { orderBy: { id: 1 } })],
  [
    'find in pages over a collection',
    em =>
      em.find(
        Book,
        { labels: { text: { $like: `${mark}%` } } },
        { populate: ['labels'], limit: 1, orderBy: { id: 1 } },
      ),
  ],
  ['some and none of a collection', em => em.find(Publisher, { books: { $some: { pages: 301 } } })],
  ['find and count', em => em.findAndCount(Book, { sold: true }, { limit: 1, orderBy: { id: 1 } })],
  ['find by cursor', async em => (await em.findByCursor(Book, { first: 2, orderBy: { id: 1 }, where: {} })).items],
  ['count', em => em.count(Book, { title: { $like: `${mark}%` } })],
  [
    'raw fragments',
    em =>
      em.find(
        Book,
        { [raw('lower(title)')]: { $like: `${mark}%` }, id: { $gt: raw('? + ?', [1, 1]) } },
        { orderBy: { id: 1 } },
      ),
  ],
  ['raw expression with a value', em => em.find(Book, { [raw('coalesce(pages, ?)', [0])]: 0 }, { orderBy: { id: 1 } })],
  ['raw order', em => em.find(Book, {}, { orderBy: { [raw('pages = ?', [303])]: 'desc', id: 1 } })],
  ['nativeUpdate', em => em.nativeUpdate(Book, { id: 2 }, { title: `${mark} new`, pages: 1, rating: 0.1 })],
  ['nativeUpdate with raw', em => em.nativeUpdate(Book, { id: 2 }, { pages: raw('coalesce(pages, 0) + ?', [5]) })],
  ['nativeUpdate to null', em => em.nativeUpdate(Book, { id: 2 }, { blurb: null, details: null })],
  [
    'flush of updates of several rows',
    async em => {
      for (const book of await em.find(Book, { id: { $in: [3, 4, 5] } }, { orderBy: { id: 1 } })) {
        book.title = `${mark} changed ${book.id}`;
        book.details = { changed: book.id };
        book.price = '99.90';
        book.cover = Buffer.from([book.id]);
      }
      await em.flush();
    },
  ],
  [
    'an optimistic lock',
    async em => {
      const book = await em.findOneOrFail(Book, 1);
      await em.lock(book, 'optimistic' as never, book.version);
      book.title = `${mark} locked`;
      await em.flush();
    },
  ],
  ['a pessimistic lock', em => em.findOne(Book, 1, { lockMode: 4 })],
  [
    'query builder with joins',
    em =>
      em
        .createQueryBuilder(Book, 'b')
        .select(['b.id', 'b.title'])
        .leftJoin('b.publisher', 'p')
        .where({ 'p.name': `${mark} house` })
        .execute(),
  ],
  [
    'query builder with group and having',
    em =>
      em
        .createQueryBuilder(Book, 'b')
        .select(['b.sold', raw('count(*)::int as n')])
        .where({ pages: { $gt: 2 } })
        .groupBy('b.sold')
        .having('count(*) > ?', [0])
        .orderBy({ 'b.sold': 1 })
        .execute(),
  ],
  [
    'query builder with a subquery',
    em =>
      em
        .createQueryBuilder(Book, 'b')
        .select('b.id')
        .where({ id: { $in: em.createQueryBuilder(Book, 'c').select('c.id').where({ pages: 301 }) } })
        .execute(),
  ],
  [
    'query builder with distinct',
    em => em.createQueryBuilder(Book, 'b').select('b.kind', true).where({ kind: 'novel' }).execute(),
  ],
  [
    'query builder update',
    em =>
      em
        .createQueryBuilder(Book)
        .update({ pages: 7 })
        .where({ title: { $like: '%changed%' }, id: 5 })
        .execute(),
  ],
  [
    'query builder insert on conflict',
    em =>
      em
        .createQueryBuilder(Pair)
        .insert({ left: 1, right: mark, note: 'c' })
        .onConflict(['left', 'right'])
        .merge({ note: `${mark} merged` })
        .execute(),
  ],
  ['query builder delete', em => em.createQueryBuilder(Pair).delete({ left: 3 }).execute()],
  [
    'execute with lists',
    em => em.execute('select id from book where id in (?) and title <> ? order by id', [[1, 2], 'x']),
  ],
  [
    'execute with names',
    em => em.execute('select id from book where title like :title order by id', { title: `${mark}%` } as never),
  ],
  [
    'execute of what takes no parameter',
    em =>
      em.execute("select ? as a, ?::int + 1 as b, ? is null as c, jsonb_build_object('k', ?) as d", [
        'x',
        '4',
        null,
        'v',
      ]),
  ],
  [
    'execute with arithmetic',
    em => em.execute('select id, pages * ? as twice, 7 / ? as half from book where id = ?', [2, 2, 1]),
  ],
  [
    'execute with an interval',
    em =>
      em.execute('select id from book where "printed_at" > timestamptz ? - interval ? order by id', [
        '2026-02-04',
        '2 days',
      ]),
  ],
  ['execute with positions', em => em.execute('select id, title from book order by ? desc', [1])],
  [
    'execute with operators of JSON',
    em => em.execute(`select id from book where details \\? ? or details @> ? order by id`, [mark, '{"changed": 3}']),
  ],
  ['execute with limits', em => em.execute('select id from book order by id limit ? offset ?', [2, 1])],
  [
    'execute with large numbers',
    em =>
      em.execute('select id from book where big > ? and pages < ? and rating < ? order by id', [2 ** 40, 1e6, 4.75]),
  ],
  ...[-(2 ** 31), 2 ** 31, 2 ** 53, -(2 ** 53), 2 ** 62, -(2 ** 63), 2 ** 63, 1e21].map(
    (number): Feature => [
      `execute with the number ${number}`,
      em => em.execute('select 7 / ? as part, pg_typeof(0 + ?)::text as type', [number, number]),
    ],
  ),
  [
    'execute with fields of an interval',
    em => em.execute('select 1 as one where make_interval(5) = ?::interval year', ['5']),
  ],
  ['a unique violation', em => em.insert(Pair, { left: 1, right: mark })],
  ['a value of the wrong type', em => em.execute('select * from book where id = ?', ['no number'])],
  ['a number where a text is', em => em.execute('select * from book where title = ?', [5])],
  ['a number out of range', em => em.nativeUpdate(Book, { id: 2 }, { small: 70_000 })],
  [
    'removal',
    async em => {
      const book = await em.findOneOrFail(Book, 4);
      em.remove(book);
      await em.flush();
    },
  ],
];

const tables = ['book', 'publisher', 'label', 'book_labels', 'pair'];

/** Entities as plain data; what differs by chance (the place in a message) is left out of errors. */
async function resultOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return JSON.parse(
      JSON.stringify(await work(), (_, value) => (typeof value === 'bigint' ? `${value}n` : value)) ?? 'null',
    );
  } catch (error) {
    return stateOf(error);
  }
}

function stateOf(error: unknown): unknown {
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = Reflect.get(at, 'cause')) {
    const state =
      Reflect.get(at, 'sqlState') ??
      Reflect.get(Object(Reflect.get(at, 'facts')), 'sqlState') ??
      Reflect.get(at, 'code');
    if (typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state)) return state;
  }
  return String(error);
}

describe('statements of MikroORM, with their values as parameters and in the text', () => {
  let ours: TestDatabase;
  let theirs: TestDatabase;
  let proxy: TcpProxy;
  let service: PostgresqlService;
  let orm: Awaited<ReturnType<typeof openOrm>>;
  let recording: ReturnType<TcpProxy['recording']>;

  const openOrm = async (url: string) =>
    MikroORM.init({ clientUrl: url, entities, ensureDatabase: false, allowGlobalContext: false });

  beforeAll(async () => {
    [ours, theirs] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    for (const { url } of [ours, theirs]) {
      const creating = await openOrm(url);
      await creating.schema.create();
      await creating.close();
    }
    orm = await openOrm(theirs.url);
    proxy = await startTcpProxy({ to: ours.url });
    service = await connectPostgresqlService({ url: proxy.url(), models: [model], options: { pool: { max: 1 } } });
    recording = proxy.recording();
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await proxy.dispose();
    await orm.close();
    await Promise.all([ours[Symbol.asyncDispose](), theirs[Symbol.asyncDispose]()]);
  });

  const inText = (work: (em: SqlEntityManager) => Promise<unknown>) =>
    resultOf(() => orm.em.fork().transactional(work));
  const asParameters = (work: (em: EntityManager) => Promise<unknown>) =>
    resultOf(() => service.database.session(work));

  for (const [name, work] of features) {
    test(`give the same for ${name}`, async () => {
      // A statement is prepared when it comes again: each is seen without, with, and from the cache.
      for (const _ of [1, 2, 3]) expect(await asParameters(work)).toEqual(await inText(work));
    });
  }

  test('leave the same rows', async () => {
    for (const table of tables) {
      const sql = `select * from ${table} t order by t::text`;
      expect(await asParameters(em => em.execute(sql))).toEqual(await inText(em => em.execute(sql)));
    }
  });

  test('keep values in the text only where a parameter could mean something else', () => {
    const texts = recording.statements.flat();
    const withValue = texts.filter(text => text.includes(mark) && !text.includes('$1'));
    expect(texts.filter(text => text.includes('$1')).length).toBeGreaterThan(60);
    expect(withValue.filter(text => !/case when|group by|distinct|lower|coalesce|->>/i.test(text))).toEqual([]);
  });
});
