import { setImmediate } from 'node:timers/promises';
import { definePlugin, HttpServer, type Kernel } from '@keelson/core';
import { CurrentEntityManager, DatabaseModel, DatabaseService, type EntityManager } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import http, { currentSession, repeatable } from '@keelson/http-express';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import { Router } from 'express';
import { inject, injectable } from 'inversify';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** Made once, for all requests. */
class AuthorBook {
  readonly em: EntityManager;
  readonly reports: EntityManager;

  constructor(em: EntityManager, reports: EntityManager) {
    this.em = em;
    this.reports = reports;
  }

  /** Adds two authors, with pauses in which other requests run; reports what it saw, and through whose eyes. */
  async addTwo(name: string) {
    const ids = [this.em.id];
    for (const part of ['first', 'second']) {
      this.em.create(Author, { email: `${part} of ${name}`, name });
      await setImmediate();
      await this.em.flush();
      ids.push(this.em.id);
    }
    const [{ id } = { id: '' }] = await this.em.execute<{ id: string }[]>('select pg_current_xact_id()::text as id');
    return { transaction: id, ids: [...new Set(ids)], own: await this.em.count(Author, { name }) };
  }
}

let main: TestDatabase;
let reporting: TestDatabase;
let kernel: Kernel;
let url: string;
let made = 0;

beforeAll(async () => {
  main = await createTestDatabase();
  reporting = await createTestDatabase();
  const authors = definePlugin({
    name: 'authors',
    requires: [HttpServer, CurrentEntityManager],
    register({ bind }) {
      bind(DatabaseModel).toConstantValue(sampleModel);
      bind(DatabaseModel).toConstantValue({ ...sampleModel, database: 'reporting' });
      bind(AuthorBook)
        .toResolvedValue(
          (em: EntityManager, reports: EntityManager) => {
            made += 1;
            return new AuthorBook(em, reports);
          },
          [CurrentEntityManager, { serviceIdentifier: CurrentEntityManager, name: 'reporting' }],
        )
        .inSingletonScope();
    },
    start({ container }) {
      const book = container.get(AuthorBook);
      const router = Router()
        .get('/idle', (_request, response) => void response.json('nothing asked'))
        .post('/two', async (request, response) => {
          const seen = await book.addTwo(String(request.query.name));
          const isOwn = currentSession(request).id === seen.ids[0];
          if (request.query.name === 'refused') response.status(409).json('refused');
          else response.status(201).json({ ...seen, isOwn });
        })
        .post(
          '/again',
          repeatable(async (em, request) => ({
            status: 201,
            body: { ...(await book.addTwo(String(request.query.name))), em: em.id },
          })),
        );
      container.get(HttpServer).router('/authors', router);
    },
  });
  kernel = await startKernel({
    plugins: { http, database: postgresql, 'database/reporting': postgresql, authors },
    values: {
      database: { url: main.url, migrations: { atStart: true }, pool: { max: 8 } },
      'database/reporting': { url: reporting.url, migrations: { atStart: true } },
    },
  });
  url = `${kernel.container.get(HttpServer).url}/authors`;
});

afterAll(async () => {
  await kernel.stop();
  await main[Symbol.asyncDispose]();
  await reporting[Symbol.asyncDispose]();
});

const post = (path: string) => fetch(`${url}${path}`, { method: 'POST' });

test('200 requests at a time share one class, and each sees only its own session', async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const response = await post(`/two?name=n${index}`);
      expect(response.status).toBe(201);
      return (await response.json()) as { transaction: string; ids: string[]; own: number; isOwn: boolean };
    }),
  );
  for (const { ids, own, isOwn } of answers) expect([ids.length, own, isOwn]).toEqual([1, 2, true]);
  expect(new Set(answers.flatMap(({ ids }) => ids)).size).toBe(200);
  expect(new Set(answers.map(({ transaction }) => transaction)).size).toBe(200);
  const database = kernel.container.get(DatabaseService);
  expect(await database.read(em => em.count(Author))).toBe(400);
  expect(made).toBe(1);
});

test('a request that is refused leaves nothing of it, and a repeatable handler has that of its unit', async () => {
  expect((await post('/two?name=refused')).status).toBe(409);
  const again = (await (await post('/again?name=repeatable')).json()) as { ids: string[]; em: string };
  expect(again.ids).toEqual([again.em]);
  const database = kernel.container.get(DatabaseService);
  const { acquired } = database.stats().counters;
  await post('/again?name=once');
  expect(database.stats().counters.acquired, 'one session for the request').toBe(acquired + 1);
  expect(await database.read(em => em.count(Author, { name: { $in: ['refused', 'repeatable'] } }))).toBe(2);
});

test('a request that touches no data opens no session and takes no connection', async () => {
  const database = kernel.container.get(DatabaseService);
  await eventually(() => expect(database.stats().busy).toBe(0));
  const { acquired } = database.stats().counters;
  for (let count = 0; count < 20; count++) expect(await (await fetch(`${url}/idle`)).json()).toBe('nothing asked');
  expect(database.stats().counters.acquired).toBe(acquired);
});

test('a class with decorators gets it as well', async () => {
  class Counting {
    readonly em: EntityManager;

    constructor(em: EntityManager) {
      this.em = em;
    }
  }
  // As `@injectable()` and `@inject(CurrentEntityManager)` do it, without the compiler's help.
  Reflect.decorate([injectable()], Counting);
  inject(CurrentEntityManager)(Counting, undefined, 0);
  kernel.container.bind(Counting).toSelf().inSingletonScope();
  const { em } = kernel.container.get(Counting);
  const database = kernel.container.get(DatabaseService);
  expect(await database.session(async own => [em.id === own.id, await em.count(Author, { name: 'nobody' })])).toEqual([
    true,
    0,
  ]);
});

test('of a further database it is that of the sessions of that database', async () => {
  const { em, reports } = kernel.container.get(AuthorBook);
  const database = kernel.container.get(DatabaseService);
  const second = kernel.container.get(DatabaseService, { name: 'reporting' });
  await second.session(async own => {
    expect(reports.id).toBe(own.id);
    expect(() => em.id).toThrow(expect.objectContaining({ code: 'DATABASE_OUTSIDE_SESSION' }));
    await database.session(async other => expect([em.id, reports.id]).toEqual([other.id, own.id]));
    reports.create(Author, { email: 'only there' });
  });
  expect(await second.read(found => found.count(Author))).toBe(1);
  expect(await database.read(found => found.count(Author, { email: 'only there' }))).toBe(0);
});
