import { readFileSync } from 'node:fs';
import type { DatabaseService, EntityManager } from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { createPostgresqlService, type PostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { Migration } from '@mikro-orm/migrations';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const source = readFileSync(new URL(import.meta.url), 'utf8');
const page = readFileSync(new URL('../../docs/database.md', import.meta.url), 'utf8');

describe('the code of docs/database.md', () => {
  let testDatabase: TestDatabase;
  let service: PostgresqlService;
  let database: DatabaseService;
  const told: string[] = [];
  const emails = () => database.read(async em => (await em.find(Author, {})).map(({ email }) => email));

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    service = createPostgresqlService({ url: testDatabase.url });
    database = service.database;
    await database.connect();
    await database.migrate();
    await database.session(em => em.insert(Author, { email: 'ada@example.org' }));
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await testDatabase[Symbol.asyncDispose]();
  });

  test('stands in this file, line for line', () => {
    const flat = (text: string) => text.replaceAll(/^ +/gm, '').trim();
    const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => flat(block ?? ''));
    expect(blocks.length).toBeGreaterThan(7);
    for (const block of blocks) expect(flat(source)).toContain(block);
  });

  test('sessions', async () => {
    const author = await database.session(async em => {
      const found = await em.findOneOrFail(Author, { email: 'ada@example.org' });
      found.name = 'Ada';
      return found;
    });
    expect(author.name).toBe('Ada');
    const count = await database.read(em => em.count(Author));
    expect(count).toBe(1);
  });

  test('migrations', async () => {
    class IndexAuthors extends Migration {
      override isTransactional() {
        return false;
      }

      override up() {
        this.addSql('create index concurrently if not exists author_email_index on author (email)');
      }
    }
    const models = [{ entities: [], migrations: [...(sampleModel.migrations ?? []), IndexAuthors] }];
    await using next = createPostgresqlService({ url: testDatabase.url, models });
    await next.database.connect();
    expect(await next.database.migrate()).toEqual(['IndexAuthors']);
  });

  test('a session ended by its owner', async () => {
    await using session = await database.openSession({ name: 'import' });
    session.em.create(Author, { email: 'grace@example.org' });
    await session.commit();
    expect(await emails()).toContain('grace@example.org');
  });

  test('work that belongs to somebody else', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const jobs = {
      async start() {
        await asked;
        await database.session(em => em.insert(Author, { email: 'job@example.org' }));
      },
    };
    await using session = await database.openSession();
    await session.run(async () => {
      const loop = database.outside(() => jobs.start());
      ask();
      await loop;
    });
    await session.rollback();
    expect(await emails()).toContain('job@example.org');
  });

  test('tests of a service', async () => {
    await withRollback(database, async em => {
      await database.session(inner => inner.insert(Author, { email: 'radia@example.org' }));
      expect(await em.count(Author, { email: 'radia@example.org' })).toBe(1);
    });
    expect(await emails()).not.toContain('radia@example.org');
  });

  test('many rows at once', async () => {
    const newAuthors = Array.from({ length: 600 }, (_, index) => ({ email: `many-${index}@example.org` }));
    const progress: number[] = [];
    const { done } = await database.batch(
      newAuthors,
      async (em, chunk) => {
        for (const { email } of chunk) em.create(Author, { email });
      },
      { chunkSize: 500, onProgress: ({ done: stored }) => progress.push(stored) },
    );
    expect([done, progress]).toEqual([600, [500, 600]]);
    async function* rowsOf(file: string) {
      for (let index = 0; index < 10; index++) yield { email: `${file}-${index}@example.org` };
    }
    await database.bulkInsert(Author, rowsOf('authors.csv'));
    expect(await emails()).toHaveLength(new Set(await emails()).size);
    expect(await emails()).toContain('authors.csv-9@example.org');
    await database.session(em => em.nativeDelete(Author, { email: { $like: 'many-%' } }));
  });

  test('one inside another', async () => {
    await database.session(async em => {
      em.create(Author, { email: 'kept@example.org' });
      await database
        .transaction(async inner => {
          inner.create(Author, { email: 'dropped@example.org' });
          throw new Error('only this part fails');
        })
        .catch(() => 'the outer work goes on');
    });
    expect(await emails()).toContain('kept@example.org');
    expect(await emails()).not.toContain('dropped@example.org');
  });

  test('time', async () => {
    const report = database.session(em => em.execute('select pg_sleep(60)'), { name: 'report', timeoutMs: 100 });
    await expect(report).rejects.toMatchObject({ code: 'DATABASE_SESSION_ABORTED' });
  });

  test('after the outcome', async () => {
    await database.session(async (em, session) => {
      em.create(Author, { email: 'told@example.org' });
      session.onCommit(() => void told.push('send the mail'));
    });
    expect(told).toEqual(['send the mail']);
  });

  test('work that may run only once', async () => {
    const payOnce = async (em: EntityManager) => em.count(Author);
    await database.session(async em => payOnce(em), { retry: 'never' });
  });

  test('what can go wrong in your code', async () => {
    const byHand = database.session(async em => {
      await em.insert(Author, { email: 'half@example.org' });
      await em.execute('commit');
      await em.insert(Author, { email: 'other-half@example.org' });
    });
    await expect(byHand).rejects.toMatchObject({
      code: 'DATABASE_TRANSACTION_BY_HAND',
      facts: { by: 'COMMIT', stored: 'nothing' },
    });
    const at = expect.stringContaining('database-page.test.ts');
    await expect(byHand).rejects.toMatchObject({ facts: { at } });
    const several = database.session(async em => void (await em.execute('select 1; select 2')));
    await expect(several).rejects.toMatchObject({ code: 'DATABASE_SEVERAL_STATEMENTS', facts: { at } });
    expect(await emails()).not.toContain('half@example.org');
  });

  test('messages between services', async () => {
    const delivered = new Set<string>();
    const deliver = async () => {
      const waiting = await database.session(em => em.find(Author, { name: null }));
      for (const { email } of waiting) delivered.add(email);
    };
    const subscription = await database.listen('authors', deliver);

    await database.session(async (em, session) => {
      em.create(Author, { email: 'outbox@example.org' });
      session.notify('authors');
    });
    await eventually(() => expect(delivered).toContain('outbox@example.org'));
    await subscription.close();

    const prices = new Map<string, number>();
    const cache = await database.listen(
      'prices',
      event => {
        if (event.is === 'gap') prices.clear();
        else prices.set(event.payload.sku, event.payload.cents);
      },
      { schema: z.object({ sku: z.string(), cents: z.number() }) },
    );
    await database.session(async (_em, session) => session.notify('prices', { sku: 'K-1', cents: 250 }));
    await eventually(() => expect([...prices]).toEqual([['K-1', 250]]));
    await cache.close();
  });

  test('errors', async () => {
    const same = [{ email: 'x@example.org' }, { email: 'x@example.org' }];
    const twice = database.session(em => em.insertMany(Author, same));
    await expect(twice).rejects.toMatchObject({
      code: 'DATABASE_QUERY_FAILED',
      kind: 'unique',
      facts: { table: 'author', constraint: 'author_email_unique' },
      http: { status: 409 },
    });
  });
});
