import type { IncomingMessage } from 'node:http';
import { HttpServer, KeelsonError, type Kernel } from '@keelson/core';
import { DatabaseService } from '@keelson/database';
import { repeatable } from '@keelson/http-express';
import { createTenantDatabase, Paper, papers, type TenantDatabase } from '@keelson/test-support/tenants';
import type { Request } from 'express';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startAuthorService, urlOf } from './author-services.fixture.js';
import { problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { Router } from './server-under-test.fixture.js';

let tenants: TenantDatabase;
let kernel: Kernel;
let asked = 0;

/** What a middleware of the routes has found out: a token was checked, a user was loaded. */
const found = new WeakMap<IncomingMessage, string>();

function tenantOf(request: Request): string {
  asked += 1;
  const tenant = found.get(request);
  if (tenant !== undefined) return tenant;
  throw new KeelsonError({
    code: 'TENANT_MISSING',
    message: 'A request had no tenant.',
    http: { status: 400, title: 'Bad Request', detail: 'Send the header X-Tenant.' },
  });
}

beforeAll(async () => {
  tenants = await createTenantDatabase();
  const routes = Router()
    .use((request, _response, next) => {
      const tenant = request.get('X-Tenant');
      if (tenant !== undefined) found.set(request, tenant);
      next();
    })
    .get('/free', (_request, response) => void response.json({ free: true }))
    .get('/papers', async (request, response) => {
      response.json(await currentSession(request).find(Paper, {}));
    })
    .get('/separate', async (_request, response) => {
      const database = kernel.container.get(DatabaseService);
      response.json(await database.read(em => em.find(Paper, {}), { nested: 'separate' }));
    })
    .post('/papers', async (request, response) => {
      const em = currentSession(request);
      await em.insert(Paper, { title: request.body.title });
      if (request.body.then === 'throw') throw new Error('thrown');
      if (request.body.then === 'refuse') response.status(409);
      response.json(await em.find(Paper, {}));
    })
    .post(
      '/repeatable',
      repeatable(async (em, request) => {
        await em.insert(Paper, { title: request.body.title });
        return { body: await em.find(Paper, {}) };
      }),
    );
  kernel = await startAuthorService(
    ({ container }) => {
      const server = container.get(HttpServer);
      server.router('/', routes);
      server.session((request: Request) => tenants.session(tenantOf(request)));
    },
    {
      model: { entities: papers.entities },
      values: { database: { url: tenants.testDatabase.url, pool: { max: 4, acquireTimeoutMs: 60_000 } } },
    },
  );
});
afterAll(async () => {
  await kernel.stop();
  await tenants[Symbol.asyncDispose]();
});
afterEach(() => tenants.admin.query('truncate paper'));

const ask = (path: string, tenant?: string, body?: object) =>
  fetch(`${urlOf(kernel)}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'Content-Type': 'application/json', ...(tenant !== undefined && { 'X-Tenant': tenant }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const titlesFrom = async (response: Response) =>
  ((await response.json()) as { title: string }[]).map(({ title }) => title);

test('a request works for the tenant that its middleware has found, in its session and beside it', async () => {
  for (const path of ['/papers', '/repeatable']) {
    expect((await ask(path, 'a', { title: `a:${path}` })).status).toBe(200);
  }
  await ask('/papers', 'b', { title: 'b:1' });
  for (const path of ['/papers', '/separate']) {
    expect(await titlesFrom(await ask(path, 'a'))).toEqual(['a:/papers', 'a:/repeatable']);
    expect(await titlesFrom(await ask(path, 'b'))).toEqual(['b:1']);
    expect(await titlesFrom(await ask(path, "b' or true --"))).toEqual([]);
  }
});

test('the rule is asked once for a session, and not for a request that uses none', async () => {
  asked = 0;
  expect((await ask('/free')).status).toBe(200);
  expect(asked).toBe(0);
  await ask('/papers', 'a', { title: 'a:1' });
  expect(asked).toBe(1);
});

test('what the rule throws is the answer, and nothing is read or stored', async () => {
  for (const [path, body] of [
    ['/papers', undefined],
    ['/separate', undefined],
    ['/papers', { title: 'of nobody' }],
    ['/repeatable', { title: 'of nobody' }],
  ] as const) {
    const problem = await problemFrom(await ask(path, undefined, body));
    expect([problem.status, problem.type]).toEqual([400, 'application/problem+json']);
  }
  expect((await tenants.admin.query('select from paper')).rowCount).toBe(0);
});

test('a second rule is refused', () => {
  const server = kernel.container.get(HttpServer);
  expect(() => server.session(() => ({}))).toThrow(expect.objectContaining({ code: 'HTTP_SESSION_RULE_TAKEN' }));
});

test('400 requests of 40 tenants at once, some of which fail: none sees or stores a row of another', {
  timeout: 120_000,
}, async () => {
  const wrong: string[] = [];
  const send = async (at: number) => {
    const tenant = `tenant-${at % 40}`;
    const title = `${tenant}:${at}`;
    const then = ['go on', 'throw', 'refuse', 'go on'][Math.floor(at / 40) % 4];
    const path = at % 3 === 0 ? '/repeatable' : '/papers';
    const response = at % 5 === 0 ? await ask('/papers', tenant) : await ask(path, tenant, { title, then });
    if (response.status !== 200) return;
    for (const seen of await titlesFrom(response)) if (!seen.startsWith(`${tenant}:`)) wrong.push(`${tenant} ${seen}`);
  };
  await Promise.all(Array.from({ length: 400 }, (_, at) => send(at)));
  expect(wrong).toEqual([]);
  const { rows } = await tenants.admin.query<{ tenant: string; title: string }>('select tenant, title from paper');
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.filter(({ tenant, title }) => !title.startsWith(`${tenant}:`))).toEqual([]);
});
