import { definePlugin, KeelsonError, type Kernel } from '@keelson/core';
import { isQueryError } from '@keelson/database';
import { HttpRoutes, type Route, route } from '@keelson/http';
import { Author } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { AuthorServices, type Start, urlOf } from './author-services.fixture.js';
import { http } from './server-under-test.fixture.js';

let services: AuthorServices;
let kernel: Kernel;

beforeAll(async () => {
  services = await AuthorServices.create();
});
afterEach(() => services.clear());
afterAll(() => services[Symbol.asyncDispose]());

/** A service on the real database, with `routes` at `/authors`. */
async function serviceWith(routes: readonly Route[], options: object = {}): Promise<string> {
  const start: Start = ({ container }) => container.get(HttpRoutes).mount('/authors', routes);
  kernel = await services.start(start, { values: { http: options } });
  return urlOf(kernel);
}

const stored = () => services.storedEmails();

function post(url: string, body: unknown, type = 'application/json'): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body: JSON.stringify(body) });
}

const author = z.object({ id: z.int(), email: z.string() });
const newAuthor = z.strictObject({ id: z.int(), email: z.email() });

const create = (repeatable: boolean) =>
  route({
    method: 'post',
    path: '/',
    summary: 'Adds an author',
    body: newAuthor,
    answers: { 201: { body: author, headers: { Location: 'Where the author is.' } } },
    problems: { 409: 'The id is taken.' },
    repeatable,
    handle: ({ em, body }) => {
      const { id, email } = em.create(Author, body);
      return { status: 201, headers: { Location: `/authors/${id}` }, body: { id, email } };
    },
  });

const read = route({
  method: 'get',
  path: '/:id',
  params: z.object({ id: z.coerce.number().int() }),
  answers: { 200: author },
  problems: { 404: 'No author has this id.' },
  handle: async ({ em, params }) => {
    const found = await em.findOne(Author, { id: params.id });
    if (found === null)
      throw new KeelsonError({ code: 'TEST_NONE', message: 'none', http: { status: 404, title: 'None' } });
    return { body: { id: found.id, email: found.email } };
  },
});

describe.each([{ repeatable: false }, { repeatable: true }])(
  'a route with repeatable: $repeatable',
  ({ repeatable }) => {
    test('has stored the data when it answers', async () => {
      const url = await serviceWith([create(repeatable), read]);
      const response = await post(`${url}/authors`, { id: 1, email: 'a@example.org' });
      expect(response.status).toBe(201);
      expect(response.headers.get('location')).toBe('/authors/1');
      expect(await response.json()).toEqual({ id: 1, email: 'a@example.org' });
      expect(await stored()).toEqual(['a@example.org']);
      expect(await (await fetch(`${url}/authors/1`)).json()).toEqual({ id: 1, email: 'a@example.org' });
      expect((await fetch(`${url}/authors/2`)).status).toBe(404);
    });

    test('shows what a flush sets', async () => {
      const keyed = route({
        method: 'post',
        path: '/',
        answers: { 200: z.object({ id: z.int() }) },
        repeatable,
        handle: ({ em }) => {
          const made = em.create(Author, { id: 7, email: 'k@example.org' });
          return { body: { id: made.id } };
        },
      });
      const url = await serviceWith([keyed]);
      expect(await (await post(`${url}/authors`, {})).json()).toEqual({ id: 7 });
      expect((await post(`${url}/authors`, {})).status).toBe(409);
    });

    test('replaces the error of its flush or commit in one line', async () => {
      const taken = new KeelsonError({ code: 'TEST_TAKEN', message: 'taken', http: { status: 409, title: 'Taken' } });
      const mapped = (path: string, constraint: string) =>
        route({
          method: 'post',
          path,
          answers: { 204: {} },
          repeatable,
          mapError: error => (isQueryError(error, { kind: 'unique', constraint }) ? taken : error),
          handle: ({ em }) => {
            em.create(Author, { id: 1, email: 'a@example.org' });
            return { status: 204 };
          },
        });
      const url = await serviceWith([mapped('/', 'author_pkey'), mapped('/other', 'author_email_unique')]);
      expect((await post(`${url}/authors`, {})).status).toBe(204);
      expect(await (await post(`${url}/authors`, {})).json()).toMatchObject({ type: 'urn:keelson:problem:TEST_TAKEN' });
      expect(await (await post(`${url}/authors/other`, {})).json()).toMatchObject({
        type: 'urn:keelson:problem:DATABASE_QUERY_FAILED',
      });
    });

    test('replaces the error of a commit, which alone checks what is deferred', async () => {
      const taken = new KeelsonError({ code: 'TEST_TAKEN', message: 'taken', http: { status: 409, title: 'Taken' } });
      const named = route({
        method: 'post',
        path: '/',
        answers: { 204: {} },
        repeatable,
        mapError: error => (isQueryError(error, { kind: 'unique', constraint: 'author_name_late' }) ? taken : error),
        handle: async ({ em }) => {
          await em.execute(`insert into author (email, name) values (gen_random_uuid()::text, 'Ada')`);
          return { status: 204 };
        },
      });
      const url = await serviceWith([named]);
      await services.witness.query(
        'alter table author add constraint author_name_late unique (name) deferrable initially deferred',
      );
      expect((await post(`${url}/authors`, {})).status).toBe(204);
      expect(await (await post(`${url}/authors`, {})).json()).toMatchObject({ type: 'urn:keelson:problem:TEST_TAKEN' });
    });

    test('stores nothing when its answer is a refusal, or is not what the route describes', async () => {
      const refuse = route({
        method: 'post',
        path: '/refuse',
        answers: { 418: z.object({ why: z.string() }) },
        repeatable,
        handle: async ({ em }) => {
          em.create(Author, { id: 1, email: 'a@example.org' });
          await em.flush();
          return { status: 418, body: { why: 'a teapot' } };
        },
      });
      const wrong = route({
        method: 'post',
        path: '/wrong',
        answers: { 200: z.object({ count: z.int().max(3) }) },
        repeatable,
        handle: async ({ em }) => {
          em.create(Author, { id: 2, email: 'b@example.org' });
          await em.flush();
          return { body: { count: 4 } };
        },
      });
      const url = await serviceWith([refuse, wrong]);
      expect((await post(`${url}/authors/refuse`, {})).status).toBe(418);
      const answer = await post(`${url}/authors/wrong`, {});
      expect(answer.status).toBe(500);
      expect(await answer.json()).toMatchObject({ type: expect.stringContaining('HTTP_ANSWER_INVALID') });
      expect(await stored()).toEqual([]);
    });
  },
);

describe('a route', () => {
  test('answers wrong input with one entry for each field, before anything is opened', async () => {
    const url = await serviceWith([create(true), read]);
    const response = await post(`${url}/authors`, { id: 'one', email: 'no', more: true });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      errors: [{ path: '/id' }, { path: '/email' }, { path: '/more', message: 'is not a known field' }],
    });
    const path = await fetch(`${url}/authors/x`);
    expect(path.status).toBe(422);
    expect(await path.json()).toMatchObject({ errors: [{ path: '/id', in: 'path' }] });
    expect((await post(`${url}/authors`, { id: 1, email: 'a@example.org' }, 'text/plain')).status).toBe(415);
  });

  test('that touches no data opens no session, and is answered in a service without a database', async () => {
    const ping = route({
      method: 'get',
      path: '/ping',
      answers: { 200: z.string() },
      handle: ({ signal }) => ({ body: signal.aborted ? 'gone' : 'here' }),
    });
    const plain = definePlugin({
      name: 'plain',
      requires: [HttpRoutes],
      start: ({ container }) => container.get(HttpRoutes).mount('/', [ping]),
    });
    await using kernel = await startKernel({ plugins: { http, plain } });
    expect(await (await fetch(`${urlOf(kernel)}/ping`)).json()).toBe('here');
  });

  test('has its answers compared only when the configuration says so', async () => {
    const wrong = route({
      method: 'get',
      path: '/',
      answers: { 200: z.object({ count: z.int().max(3) }) },
      handle: () => ({ body: { count: 4 } }),
    });
    const url = await serviceWith([wrong], { checkAnswers: 'never' });
    expect(await (await fetch(`${url}/authors`)).json()).toEqual({ count: 4 });
  });

  test.each([
    ['prod', 200],
    ['staging', 500],
  ])('in the environment %s, a wrong answer becomes a %i', async (environment, status) => {
    const wrong = route({ method: 'get', path: '/', answers: { 200: z.int() }, handle: () => ({ body: 0.5 }) });
    const plain = definePlugin({
      name: 'plain',
      requires: [HttpRoutes],
      start: ({ container }) => container.get(HttpRoutes).mount('/', [wrong]),
    });
    await using kernel = await startKernel({ plugins: { http, plain }, environment });
    expect((await fetch(urlOf(kernel))).status).toBe(status);
  });

  test('learns through its signal that the client has gone away', async () => {
    const seen = Promise.withResolvers<unknown>();
    const waiting = route({
      method: 'get',
      path: '/',
      answers: { 204: {} },
      handle: async ({ signal }) => {
        const gone = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => gone.resolve());
        controller.abort();
        await gone.promise;
        seen.resolve(signal.aborted);
        return { status: 204 };
      },
    });
    const controller = new AbortController();
    const url = await serviceWith([waiting]);
    await expect(fetch(`${url}/authors`, { signal: controller.signal })).rejects.toThrow();
    expect(await seen.promise).toBe(true);
  });

  test('can be mounted once', async () => {
    await expect(serviceWith([read, { ...read, path: '/:sku' }])).rejects.toMatchObject({
      cause: { code: 'HTTP_ROUTE_INVALID' },
    });
  });
});

describe('the API description', () => {
  test('is an OpenAPI 3.1 document of the schemas', async () => {
    const url = await serviceWith([create(true), read]);
    const response = await fetch(`${url}/openapi.json`);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({
      openapi: '3.1.1',
      info: { title: 'authors', version: '1.0.0' },
      paths: {
        '/authors': {
          post: {
            summary: 'Adds an author',
            tags: ['authors'],
            requestBody: {
              required: true,
              content: { 'application/json': { schema: { required: ['id', 'email'], additionalProperties: false } } },
            },
            responses: {
              201: { description: 'Created', headers: { Location: { description: 'Where the author is.' } } },
              409: { description: 'The id is taken.' },
              422: {
                content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDocument' } } },
              },
            },
          },
        },
        '/authors/{id}': {
          get: { parameters: [{ in: 'path', name: 'id', required: true, schema: { type: 'integer' } }] },
        },
      },
    });
  });

  test('can be changed by the service', async () => {
    const url = await serviceWith([read]);
    const routes = kernel.container.get(HttpRoutes);
    routes.describe(document => ({ ...document, servers: [{ url: 'https://example.org' }] }));
    expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({
      servers: [{ url: 'https://example.org' }],
    });
  });

  test('has a page whose files come from this server alone, at a path without a slash at the end', async () => {
    const url = await serviceWith([read], { openApi: { pagePath: '/help/api', title: 'A & B' } });
    const page = await fetch(`${url}/help/api`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const text = await page.text();
    expect(text).toContain('<title>A &#38; B</title>');
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(
      ([, link]) => new URL(link ?? '', `${url}/help/api`),
    );
    expect(links).toHaveLength(4);
    for (const link of links) {
      expect(link.origin).toBe(url);
      expect((await fetch(link)).status).toBe(200);
    }
    expect(await (await fetch(`${url}/help/api/start.js`)).text()).toContain('"../openapi.json"');
    expect((await fetch(`${url}/help/api/`)).url).toBe(`${url}/help/api`);
    expect((await fetch(`${url}/help/api/swagger-ui.js.map`)).status).toBe(404);
  });

  test('is not there when it is turned off, or the service has no such routes', async () => {
    const url = await serviceWith([read], { openApi: false });
    expect((await fetch(`${url}/openapi.json`)).status).toBe(404);
    await kernel.stop();
    const none = await serviceWith([]);
    expect((await fetch(`${none}/docs`)).status).toBe(404);
  });
});
