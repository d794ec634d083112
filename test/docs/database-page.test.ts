import { readFileSync } from 'node:fs';
import { defineOperation, definePlugin, HttpServer, KeelsonError, Kernel, type Plugin } from '@keelson/core';
import { FakeClock } from '@keelson/core/testing';
import {
  CurrentEntityManager,
  DatabaseModel,
  DatabaseService,
  type EntityManager,
  isQueryError,
  QueryError,
} from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import postgresql from '@keelson/database-postgresql';
import http, { currentSession } from '@keelson/http-express';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { startPostgres } from '@keelson/test-support/postgres-server';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { defineEntity, p } from '@mikro-orm/core';
import { Migration } from '@mikro-orm/migrations';
import { type Request, Router } from 'express';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';

const Paper = defineEntity({
  name: 'Paper',
  tableName: 'paper',
  properties: {
    id: p.integer().primary(),
    tenant: p.string().defaultRaw("current_setting('app.tenant')"),
    title: p.string(),
  },
});

class CreatePapers extends Migration {
  override up() {
    this.addSql('create table paper (id serial primary key, tenant text not null, title text not null)');
  }
}

class AuthorBook {
  readonly #em: EntityManager;

  constructor(em: EntityManager) {
    this.#em = em;
  }

  async rename(email: string, name: string): Promise<void> {
    const author = await this.#em.findOneOrFail(Author, { email });
    author.name = name;
  }

  removeUnnamed(): Promise<number> {
    return this.#em.nativeDelete(Author, { name: null });
  }
}

const source = readFileSync(new URL(import.meta.url), 'utf8');
const page = readFileSync(new URL('../../docs/database.md', import.meta.url), 'utf8');

describe('the code of docs/database.md', () => {
  let service: TestService;
  let database: DatabaseService;
  const mails: string[] = [];
  const emails = () => database.read(async em => (await em.find(Author, {})).map(({ email }) => email));

  beforeAll(async () => {
    service = await startTestService();
    database = service.database;
    await database.session(em => em.insert(Author, { email: 'ada@example.org' }));
  });
  afterAll(() => service[Symbol.asyncDispose]());

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

  test('an EntityManager that is injected; jobs, consumers, commands', async () => {
    const authorsPlugin = definePlugin({
      name: 'authors',
      requires: [DatabaseService, CurrentEntityManager],
      register({ bind }) {
        bind(DatabaseModel).toConstantValue(sampleModel);
        bind(AuthorBook)
          .toResolvedValue((em: EntityManager) => new AuthorBook(em), [CurrentEntityManager])
          .inSingletonScope();
      },
      start({ container, clock, lifecycle, logger }) {
        const database = container.get(DatabaseService);
        const book = container.get(AuthorBook);
        // Each call is one unit: after a lost connection or a conflict, the whole unit runs again.
        const removeUnnamed = () => database.session(() => book.removeUnnamed(), { name: 'authors.remove-unnamed' });

        const removeNowAndThen = async () => {
          while (!lifecycle.stopping.aborted) {
            await removeUnnamed().catch((error: unknown) => logger.error('authors not removed', { error }));
            await clock.sleep(600_000, lifecycle.stopping).catch(() => {}); // until the stop begins
          }
        };
        let job: Promise<void> | undefined;
        return {
          ready: () => {
            job = removeNowAndThen();
          },
          drain: () => job,
          operations: {
            // keelson do authors remove-unnamed
            'remove-unnamed': defineOperation({
              description: 'Removes the authors without a name.',
              arguments: z.object({}),
              run: async () => `Authors removed: ${await removeUnnamed()}.`,
            }),
          },
        };
      },
    });
    const removing = vi.spyOn(AuthorBook.prototype, 'removeUnnamed');
    await using own = await createTestDatabase();
    const clock = new FakeClock();
    const kernel = await Kernel.start({
      config: { service: 'authors', shutdown: { noticeMs: 0 } },
      plugins: { database: postgresql, authors: authorsPlugin } as Record<string, Plugin>,
      overrides: { plugins: { database: { url: own.url, migrations: { atStart: true } } } },
      variables: {},
      clock,
    });
    const database = kernel.container.get(DatabaseService);
    const book = kernel.container.get(AuthorBook);
    // The job has removed what was there at its start: nothing.
    await eventually(() => expect(removing).toHaveResolved());
    const names = () =>
      database.read(async em => (await em.find(Author, {}, { orderBy: { email: 1 } })).map(({ name }) => name));
    await database.session(em =>
      em.insertMany(Author, [{ email: 'ada@example.org' }, { email: 'noname@example.org' }]),
    );

    const confirmed: string[] = [];
    const handlers: ((message: Message) => Promise<void>)[] = [];
    interface Message {
      readonly email: string;
      readonly name: string;
      confirm(): Promise<void>;
    }
    const queue = {
      subscribe: (_name: string, handle: (message: Message) => Promise<void>) => void handlers.push(handle),
    };
    queue.subscribe('renamed', message =>
      database.outside(async () => {
        await database.session(() => book.rename(message.email, message.name), { name: 'authors.renamed' });
        await message.confirm();
      }),
    );
    const deliver = async (email: string) => {
      for (const handle of handlers)
        await handle({ email, name: 'Ada', confirm: async () => void confirmed.push(email) });
    };
    await deliver('ada@example.org');
    await expect(deliver('nobody@example.org')).rejects.toThrow();
    expect([confirmed, await names()]).toEqual([['ada@example.org'], ['Ada', null]]);

    expect(await kernel.operate('authors', 'remove-unnamed', [])).toBe('Authors removed: 1.');
    await database.session(em => em.insert(Author, { email: 'again@example.org' }));
    await clock.advance(600_000);
    await eventually(async () => expect(await names()).toEqual(['Ada']));
    expect(() => book.removeUnnamed()).toThrow(expect.objectContaining({ code: 'DATABASE_OUTSIDE_SESSION' }));
    expect(await kernel.stop()).toMatchObject({ outcome: 'clean' });
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
    const models = [{ entities: [], migrations: [...sampleModel.migrations, IndexAuthors] }];
    await using next = createPostgresqlService({ url: service.testDatabase.url, models });
    await next.database.connect();
    expect(await next.database.migrate()).toEqual(['IndexAuthors']);
  });

  test('tenants', async () => {
    class ProtectPapers extends Migration {
      override up() {
        this.addSql('alter table paper enable row level security');
        this.addSql('alter table paper force row level security');
        this.addSql(`create policy own_rows on paper
          using (tenant = current_setting('app.tenant', true))
          with check (tenant = current_setting('app.tenant', true))`);
        this.addSql(`alter table paper alter column tenant set default current_setting('app.tenant')`);
        this.addSql('grant select, insert, update, delete on paper to app_user');
        this.addSql('grant usage on all sequences in schema public to app_user');
      }
    }
    await using own = await startPostgres();
    await own.query("create role app_login login password 'of the page'");
    await own.query('create role app_user nologin nobypassrls');
    await own.query('grant app_user to app_login');
    const url = new URL(await own.createDatabase('papers'));
    await own.query('grant create on schema public to app_login', [], 'papers');
    url.username = 'app_login';
    url.password = 'of the page';
    const model = { entities: [Paper], migrations: [CreatePapers, ProtectPapers] };
    const papersPlugin = definePlugin({
      name: 'papers',
      requires: [HttpServer],
      register: ({ bind }) => void bind(DatabaseModel).toConstantValue(model),
      start: ({ container }) => {
        container.get(HttpServer).router(
          '/papers',
          Router()
            .get('/', async (request, response) => void response.json(await currentSession(request).find(Paper, {})))
            .post('/', async (request, response) => {
              await currentSession(request).insert(Paper, { title: request.body.title });
              response.status(201).end();
            }),
        );
        container.get(HttpServer).session((request: Request) => {
          const tenant = request.get('X-Tenant');
          if (tenant === undefined) throw noTenant();
          return { session: { variables: { 'app.tenant': tenant }, role: 'app_user' } };
        });
      },
    });
    const noTenant = () =>
      new KeelsonError({ code: 'NO_TENANT', message: 'No tenant.', http: { status: 400, title: 'Bad Request' } });
    const kernel = await startKernel({
      plugins: { http, database: postgresql, papers: papersPlugin },
      values: { database: { url: url.href, migrations: { atStart: true } } },
    });
    const database = kernel.container.get(DatabaseService);
    const ask = (tenant: string, body?: object) =>
      fetch(`${kernel.container.get(HttpServer).url}/papers`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'Content-Type': 'application/json', ...(tenant !== '' && { 'X-Tenant': tenant }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    for (const tenant of ['acme', 'other']) expect((await ask(tenant, { title: `of ${tenant}` })).status).toBe(201);
    expect((await ask('')).status).toBe(400);
    expect(await (await ask('other')).json()).toMatchObject([{ title: 'of other' }]);
    const papers = await database.read(em => em.find(Paper, {}), {
      session: { variables: { 'app.tenant': 'acme' }, role: 'app_user' },
    });
    expect(papers.map(({ title }) => title)).toEqual(['of acme']);
    // The owner of the table is held to the policy, too.
    expect(await database.read(em => em.find(Paper, {}))).toEqual([]);
    await kernel.stop();
  });

  test('reads that see earlier commits', async () => {
    let token: string | undefined;
    await database.session(
      async (em, session) => {
        em.create(Author, { email: 'dorothy@example.org' });
        session.onCommit(() => {
          token = session.consistencyToken;
        });
      },
      { consistencyToken: true },
    );
    const dorothy = await database.read(em => em.count(Author, { email: 'dorothy@example.org' }), { after: token });
    expect([dorothy, token]).toEqual([1, expect.stringMatching(/^[\w-]{20,100}$/)]);
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
      em.create(Author, { email: 'mail@example.org' });
      session.onCommit(() => void mails.push('send the mail'));
    });
    expect(mails).toEqual(['send the mail']);
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

  test('the table of kinds says how each is answered', () => {
    const states =
      '23505 23503 23502 23514 23P01 40001 40P01 55P03 57014 25006 53100 53200 08001 42501 42P01 42703 42601 22P02 54000 XX000';
    const refusals = states
      .split(' ')
      .map(code => new QueryError(Object.assign(new Error('x'), { code, severity: 'ERROR' })));
    const cancelled = Object.assign(new Error('canceling statement due to user request'), { code: '57014' });
    refusals.push(new QueryError(cancelled));
    const rows = [...page.matchAll(/^\| (`[a-z`, -]+`) +\| (\d{3})(, `Retry-After`)?[ a-z]*\|$/gm)];
    const documented = rows.flatMap(([, names = '', status, waits]) =>
      names.split(', ').map(name => `${name.replaceAll('`', '')} ${status} ${waits !== undefined}`),
    );
    const answers = refusals.map(
      ({ kind, http: answer }) => `${kind} ${answer?.status ?? 500} ${answer?.retryAfterMs !== undefined}`,
    );
    expect(documented.toSorted()).toEqual(answers.toSorted());
  });

  test('errors', async () => {
    const emailTaken = () =>
      new KeelsonError({
        code: 'EMAIL_TAKEN',
        message: 'Taken.',
        http: { status: 409, title: 'This address is taken' },
      });
    const add = (email: string) =>
      database
        .session(async em => void em.create(Author, { email }))
        .catch(error => {
          throw isQueryError(error, { kind: 'unique', constraint: 'author_email_unique' }) ? emailTaken() : error;
        });
    await add('taken@example.org');
    await expect(add('taken@example.org')).rejects.toMatchObject({ code: 'EMAIL_TAKEN' });
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
