import { connect } from 'node:net';
import { type HttpHandler, HttpServer, type Kernel } from '@keelson/core';
import health from '@keelson/health';
import { repeatable } from '@keelson/http-express';
import { eventually } from '@keelson/test-support/eventually';
import { Author } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AuthorServices, type Start, urlOf } from './author-services.fixture.js';
import { gate, problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { Router } from './server-under-test.fixture.js';

let services: AuthorServices;
let kernel: Kernel;

beforeAll(async () => {
  services = await AuthorServices.create();
});
afterEach(() => services.clear());
afterAll(() => services[Symbol.asyncDispose]());

/** A service with the routes of a test at `/authors`, and health checks. */
async function serviceWith(routes: HttpHandler, database: object = {}): Promise<string> {
  const details = { details: 'checks', process: { eventLoop: false, memory: false, disk: false } };
  const start: Start = ({ container }) => container.get(HttpServer).router('/authors', routes);
  kernel = await services.start(start, { plugins: { health }, values: { health: details, database } });
  return urlOf(kernel);
}

const stored = () => services.storedEmails();

function post(url: string, body: object = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    ...init,
  });
}

const creating = Router().post('/', (request, response) => {
  currentSession(request).create(Author, { id: request.body.id, email: request.body.email });
  response.status(201).json({ made: true });
});

describe('a service on PostgreSQL', () => {
  test('has stored the data when it answers 201', async () => {
    const url = await serviceWith(creating);
    expect((await post(`${url}/authors`, { id: 1, email: 'a@example.org' })).status).toBe(201);
    expect(await stored()).toEqual(['a@example.org']);
  });

  test('stores nothing of a request that fails or answers with an error', async () => {
    const url = await serviceWith(
      Router().post('/:how', async (request, response) => {
        const em = currentSession(request);
        em.create(Author, { id: 1, email: 'a@example.org' });
        await em.flush();
        if (request.params.how === 'throw') throw new Error('after the insert');
        response.status(409).end();
      }),
    );
    expect((await post(`${url}/authors/throw`)).status).toBe(500);
    expect((await post(`${url}/authors/refuse`)).status).toBe(409);
    expect(await stored()).toEqual([]);
  });

  test('answers with what was wrong when the commit finds it: a value that is there already is a 409', async () => {
    const url = await serviceWith(creating);
    await post(`${url}/authors`, { id: 1, email: 'a@example.org' });
    const problem = await problemFrom(await post(`${url}/authors`, { id: 2, email: 'a@example.org' }));
    expect([problem.status, problem.type]).toEqual([409, 'application/problem+json']);
    expect(JSON.stringify(problem.body)).not.toContain('example.org');
    expect(await stored()).toEqual(['a@example.org']);
  });

  test('does not write in a GET, and does not answer as if it had', async () => {
    const url = await serviceWith(
      Router().get('/', (request, response) => {
        currentSession(request).create(Author, { id: 1, email: 'a@example.org' });
        response.json({ made: true });
      }),
    );
    const problem = await problemFrom(await fetch(`${url}/authors`));
    expect(problem.status).toBe(500);
    expect(await stored()).toEqual([]);
  });

  test('answers 500 when what a handler calls besides refuses connections, and the database of all others is untouched', async () => {
    let runs = 0;
    const failing = async () => {
      runs += 1;
      await new Promise((_, reject) => connect(1, '127.0.0.1').once('error', reject));
      return {};
    };
    const routes = Router().get('/plain', failing).post('/plain', failing).post('/unit', repeatable(failing));
    routes.get('/fine', async (request, response) => void response.json(await currentSession(request).count(Author)));
    const url = await serviceWith(routes);
    for (let time = 0; time < 10; time++) {
      const answers = [fetch(`${url}/authors/plain`), post(`${url}/authors/plain`), post(`${url}/authors/unit`)];
      for (const answer of await Promise.all(answers)) {
        expect((await problemFrom(answer)).body).toMatchObject({
          type: 'urn:keelson:problem:HTTP_UNEXPECTED',
          status: 500,
        });
      }
    }
    expect(runs).toBe(30);
    expect(await (await fetch(`${url}/authors/fine`)).json()).toBe(0);
    expect(JSON.stringify(await kernel.status())).not.toMatch(/ECONNREFUSED|"warn"|"fail"/);
  });

  test('answers 422 at once when the path holds what PostgreSQL cannot store, and all others are answered', async () => {
    const routes = Router().get('/:email', async (request, response) => {
      response.json(await currentSession(request).count(Author, { email: request.params.email }));
    });
    const url = await serviceWith(routes);
    const sentAt = performance.now();
    for (const path of Array.from({ length: 20 }, () => 'a%00b')) {
      const problem = await problemFrom(await fetch(`${url}/authors/${path}`));
      expect(problem).toMatchObject({ status: 422, body: { type: 'urn:keelson:problem:DATABASE_QUERY_FAILED' } });
    }
    expect(performance.now() - sentAt, 'for all twenty, in ms').toBeLessThan(5_000);
    expect(await (await fetch(`${url}/authors/fine`)).json()).toBe(0);
    expect(JSON.stringify(await kernel.status())).not.toMatch(/"warn"|"fail"/);
  });

  test('answers with what the database of the handler refuses, thrown raw out of a unit of it', async () => {
    const url = await serviceWith(
      Router().get('/', async request => {
        await currentSession(request).execute("do $$ begin raise sqlstate '23505'; end $$");
      }),
    );
    expect((await problemFrom(await fetch(`${url}/authors`))).status).toBe(409);
  });

  test('cancels the statement of a client that has gone away, on the server', async () => {
    const sleeping = `select count(*)::int as count from pg_stat_activity where wait_event = 'PgSleep' and datname = $1`;
    const asleep = async () =>
      (await services.witness.query<{ count: number }>(sleeping, [services.database.name])).rows[0]?.count;
    const url = await serviceWith(
      Router().post('/', async (request, response) => {
        await currentSession(request).execute('select pg_sleep(60)');
        response.end();
      }),
    );
    const client = new AbortController();
    const answer = post(`${url}/authors`, {}, { signal: client.signal });
    await eventually(async () => (await asleep()) === 1);
    client.abort();
    await expect(answer).rejects.toThrow();
    await eventually(async () => (await asleep()) === 0);
  });

  test('is a 503 at the deadline of its session when the database stands still; stopping waits for the rest', async () => {
    await using proxy = await startTcpProxy({ to: services.database.url });
    const routes = Router().post('/:when', async (request, response) => {
      const em = currentSession(request);
      await em.insert(Author, { id: 1, email: 'a@example.org' });
      await proxy.setMode('blackhole');
      if (request.params.when === 'statement') await em.count(Author);
      response.status(201).end();
    });
    const timeoutMs = 500;
    const url = await serviceWith(routes, { url: proxy.url(), session: { timeoutMs } });
    for (const [when, code, retryAfter] of [
      ['statement', 'DATABASE_SESSION_ABORTED', '1'],
      ['commit', 'DATABASE_AMBIGUOUS_COMMIT', null],
    ]) {
      const sentAt = performance.now();
      const answer = await post(`${url}/authors/${when}`);
      const tookMs = performance.now() - sentAt;
      const problem = await problemFrom(answer);
      expect([problem.status, problem.body.type, answer.headers.get('retry-after')]).toEqual([
        503,
        `urn:keelson:problem:${code}`,
        retryAfter,
      ]);
      expect(tookMs).toBeGreaterThan(timeoutMs - 20);
      expect(tookMs).toBeLessThan(timeoutMs + 500);
      await proxy.setMode('pass');
      await services.witness.query('delete from author');
    }
    await proxy.setMode('blackhole');
    expect(await kernel.stop()).toMatchObject({ outcome: 'clean' });
  });

  test('is a 503 when the database is lost at the commit, and nothing is stored', async () => {
    const proxy = await startTcpProxy({ to: services.database.url });
    const url = await serviceWith(creating, { url: proxy.url() });
    const cut = proxy.onceAtCommit('before');
    const problem = await problemFrom(await post(`${url}/authors`, { id: 1, email: 'a@example.org' }));
    await cut;
    expect([problem.status, problem.type]).toEqual([503, 'application/problem+json']);
    expect(await stored()).toEqual([]);
    await kernel.stop();
    await proxy.dispose();
  });

  test('runs a repeatable handler again when the database is lost at the commit: the client gets its 201', async () => {
    const proxy = await startTcpProxy({ to: services.database.url });
    let runs = 0;
    const routes = Router().post(
      '/',
      repeatable(async (em, { body }) => {
        runs += 1;
        em.create(Author, { id: body.id, email: body.email });
        return { status: 201, headers: { Location: `/authors/${body.id}` }, body: { made: true } };
      }),
    );
    const url = await serviceWith(routes, { url: proxy.url() });
    const cut = proxy.onceAtCommit('before');
    const answer = await post(`${url}/authors`, { id: 1, email: 'a@example.org' });
    await cut;
    expect([answer.status, answer.headers.get('location'), await answer.json()]).toEqual([
      201,
      '/authors/1',
      { made: true },
    ]);
    expect({ runs, stored: await stored() }).toEqual({ runs: 2, stored: ['a@example.org'] });
    await kernel.stop();
    await proxy.dispose();
  });

  test('stores nothing of a repeatable handler that answers with a refusal or throws', async () => {
    const url = await serviceWith(
      Router().post(
        '/:how',
        repeatable(async (em, { params }) => {
          await em.insert(Author, { id: 1, email: 'a@example.org' });
          if (params.how === 'throw') throw new Error('after the insert');
          return { status: 409 };
        }),
      ),
    );
    expect((await post(`${url}/authors/throw`)).status).toBe(500);
    expect((await post(`${url}/authors/refuse`)).status).toBe(409);
    expect(await stored()).toEqual([]);
  });

  test('is ready once the database has been looked at, and says so of each check', async () => {
    const url = await serviceWith(Router());
    await eventually(async () => (await fetch(`${url}/readyz`)).status === 200);
    expect(await (await fetch(`${url}/readyz?verbose`)).text()).toBe(
      '[+]lifecycle ok\n[+]retry ok\n[+]database ok\n[+]database-pool ok\nreadyz check passed\n',
    );
    for (const probe of ['livez', 'startupz']) expect((await fetch(`${url}/${probe}`)).status).toBe(200);
  });

  test('lets a running request finish when it stops, and stores what it wrote', async () => {
    const slow = gate();
    const url = await serviceWith(
      Router().post('/', async (request, response) => {
        await slow.pass();
        currentSession(request).create(Author, { id: 1, email: 'a@example.org' });
        response.status(201).end();
      }),
    );
    const answer = post(`${url}/authors`);
    await slow.arrived;
    const stop = kernel.stop();
    await eventually(() => expect(fetch(url)).rejects.toThrow());
    slow.open();
    expect((await answer).status).toBe(201);
    expect(await stop).toMatchObject({ outcome: 'clean' });
    expect(await stored()).toEqual(['a@example.org']);
  });
});
