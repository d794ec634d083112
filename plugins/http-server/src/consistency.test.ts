import { HttpServer, type Kernel } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import { repeatable } from '@keelson/http-express';
import { eventually } from '@keelson/test-support/eventually';
import { type ReplicatedPostgres, startReplicatedPostgres } from '@keelson/test-support/replication';
import { Author } from '@keelson/test-support/sample-model';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startAuthorService, urlOf } from './author-services.fixture.js';
import { currentSession } from './request-sessions.js';
import { Router } from './server-under-test.fixture.js';

let pair: ReplicatedPostgres;
let kernel: Kernel;

beforeAll(async () => {
  pair = await startReplicatedPostgres();
});
afterAll(() => pair.dispose());
afterEach(async () => {
  await pair.resumeReplay();
  await kernel.stop();
});

const routes = Router()
  .get('/', async (request, response) => {
    response.json(await currentSession(request).find(Author, {}, { orderBy: { id: 'asc' } }));
  })
  .get('/streamed', async (_request, response) => {
    const database = kernel.container.get(DatabaseService);
    await database.read(async em => {
      for await (const { email } of em.stream(Author, { orderBy: { id: 'asc' } })) response.write(`${email}\n`);
      response.end();
    });
  })
  .post('/', async (request, response) => {
    await currentSession(request).insert(Author, { email: request.body.email });
    if (request.body.refuse === true) response.status(409);
    response.json({});
  })
  .post(
    '/repeatable',
    repeatable(async (em, request) => {
      await em.insert(Author, { email: request.body.email });
      return { status: 201 };
    }),
  )
  .post('/nothing', (_request, response) => void response.json({}));

/** A service whose replica replays nothing from now on. */
async function start(consistency: 'off' | 'header' | 'cookie'): Promise<void> {
  const url = await pair.primary.createDatabase(`http_${consistency}`);
  const replica = new URL(url);
  replica.port = String(pair.standby.port);
  await pair.caughtUp();
  const replicas = { urls: [replica.href], checkIntervalMs: 20, maxLagMs: 60_000, catchUpMs: 20 };
  kernel = await startAuthorService(({ container }) => container.get(HttpServer).router('/authors', routes), {
    values: { http: { consistency }, database: { url, replicas } },
  });
  await pair.caughtUp();
  await eventually(async () => {
    const { facts } = await kernel.container.get(DatabaseService).health();
    expect(facts?.hosts).toMatchObject({ 1: { state: 'fit' } });
  });
  await pair.pauseReplay();
}

const ask = (path: string, headers: Record<string, string> = {}, body?: object) =>
  fetch(`${urlOf(kernel)}/authors${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const emailsFor = async (headers: Record<string, string> = {}) => {
  const response = await ask('/', headers);
  return ((await response.json()) as { email: string }[]).map(({ email }) => email);
};
const header = 'Keelson-Consistency';

describe('a client that brings back the token of what it has stored', () => {
  test('sees it, by the header', async () => {
    await start('header');
    const stored = await ask('/', {}, { email: 'a@example.org' });
    const token = stored.headers.get(header) ?? '';
    expect([stored.status, token]).toEqual([200, expect.stringMatching(/^[\w-]+$/)]);
    expect(await emailsFor()).toEqual([]);
    expect(await emailsFor({ [header]: token })).toEqual(['a@example.org']);
    expect(await (await ask('/streamed', { [header]: token })).text()).toBe('a@example.org\n');

    const repeated = await ask('/repeatable', {}, { email: 'b@example.org' });
    expect(repeated.status).toBe(201);
    expect(await emailsFor({ [header]: repeated.headers.get(header) ?? '' })).toEqual([
      'a@example.org',
      'b@example.org',
    ]);

    expect((await emailsFor({ [header]: 'made up' })).length).toBe(2);
    for (const answer of [
      await ask('/', {}, { email: 'c@example.org', refuse: true }),
      await ask('/nothing', {}, {}),
      await ask('/', { [header]: token }),
    ]) {
      expect(answer.headers.get(header)).toBeNull();
    }
  });

  test('sees it, by the cookie', async () => {
    await start('cookie');
    const stored = await ask('/', {}, { email: 'a@example.org' });
    const [cookie = ''] = stored.headers.getSetCookie();
    expect(cookie).toMatch(/^Keelson-Consistency=[\w-]+; Path=\/; Max-Age=300; HttpOnly; SameSite=Lax$/);
    expect(stored.headers.get(header)).toBeNull();
    expect(await emailsFor()).toEqual([]);
    expect(await emailsFor({ Cookie: `theme=dark; ${cookie.split(';')[0]}; other=1` })).toEqual(['a@example.org']);
  });
});

test('without `consistency` there is no token, and none is read', async () => {
  await start('off');
  const stored = await ask('/', {}, { email: 'a@example.org' });
  expect([stored.headers.get(header), stored.headers.getSetCookie()]).toEqual([null, []]);
  expect(await emailsFor({ [header]: 'made up', Cookie: `${header}=made-up` })).toEqual([]);
});
