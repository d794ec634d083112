import { definePlugin, type HttpHandler, HttpServer, type Kernel, type Plugin } from '@keelson/core';
import { HttpRoutes, route, rowsOf } from '@keelson/http';
import { startKernel } from '@keelson/test-support/start-kernel';
import busboy from 'busboy';
import compression from 'compression';
import cookieSession from 'cookie-session';
import express, { Router } from 'express';
import helmet from 'helmet';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import http, { FastifyServer } from './index.js';

let kernel: Kernel | undefined;

afterEach(async () => {
  await kernel?.stop();
  kernel = undefined;
});

type Start = NonNullable<Plugin<Record<never, never>>['start']>;

async function serviceWith(start: Start, options: object = {}, needs: readonly string[] = []): Promise<string> {
  const shop = definePlugin({
    name: 'shop',
    requires: [HttpServer, HttpRoutes, FastifyServer],
    needsCapabilities: { http: needs },
    start,
  });
  kernel = await startKernel({ service: 'shop', plugins: { http, shop }, values: { http: options } });
  return kernel.container.get(HttpServer).url ?? '';
}

const item = route({
  method: 'get',
  path: '/:id',
  params: z.object({ id: z.string() }),
  answers: { 200: z.object({ id: z.string() }) },
  handle: ({ params }) => ({ body: params }),
});

const named = (name: string, path: '/latest' | '/') =>
  route({
    method: 'get',
    path,
    answers: { 200: z.object({ name: z.string() }) },
    handle: () => ({ body: { name } }),
  });

describe('routes with schemas', () => {
  const start: Start = ({ container }) => {
    container.get(HttpRoutes).mount('/Items', [item, named('latest', '/latest')]);
  };

  test('are found in letters of both cases, and with a slash at the end', async () => {
    const url = await serviceWith(start);
    for (const path of ['/items/7', '/ITEMS/7/', '/Items/7?more=1'])
      expect([path, await (await fetch(url + path)).json()]).toEqual([path, { id: '7' }]);
    expect((await fetch(`${url}/items`)).status).toBe(404);
    expect((await fetch(`${url}/items/`)).status).toBe(404);
    expect((await fetch(`${url}//items/7`)).status).toBe(404);
  });

  test('with a fixed path come before those with a name in it', async () => {
    const url = await serviceWith(start);
    expect(await (await fetch(`${url}/items/latest`)).json()).toEqual({ name: 'latest' });
  });

  test('get their parameters decoded, and are not found at a path that is written in another way', async () => {
    const url = await serviceWith(start);
    expect(await (await fetch(`${url}/items/a%2Fb%20c%25`)).json()).toEqual({ id: 'a/b c%' });
    for (const path of ['/it%65ms/7', '/items%2F7', '/%49tems/7', '/items/l%61test'])
      expect([path, (await fetch(url + path)).status]).toEqual([path, 404]);
  });

  test('answer HEAD without a body, and a long parameter', async () => {
    const url = await serviceWith(start);
    const answer = await fetch(`${url}/items/7`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '10', '']);
    expect((await fetch(`${url}/items/${'x'.repeat(5_000)}`)).status).toBe(200);
  });

  test('that answer without a session come before handlers that are mounted at the same path', async () => {
    const url = await serviceWith(context => {
      context.container.get(HttpServer).router('/items', (_request, response) => response.end('mounted'));
      return start(context);
    });
    expect(await (await fetch(`${url}/items/7`)).json()).toEqual({ id: '7' });
    expect(await (await fetch(`${url}/items/7/lines`)).text()).toBe('mounted');
  });
});

describe('a request of a route', () => {
  const start: Start = ({ container }) => {
    const answers = { 200: z.unknown() };
    const unread = route({ method: 'post', path: '/unread', answers, handle: () => ({ body: 'unread' }) });
    const read = route({
      method: 'post',
      path: '/read',
      body: z.object({}),
      answers,
      handle: () => ({ body: 'read' }),
    });
    container.get(HttpRoutes).mount('/', [unread, read]);
  };

  test('whose type is no type is one that is not JSON', async () => {
    const url = await serviceWith(start);
    for (const type of ['none', 'application/json, text/plain', '', 'text/']) {
      const sent = { method: 'POST', headers: { 'Content-Type': type }, body: 'x' };
      expect([type, (await fetch(`${url}/unread`, sent)).status]).toEqual([type, 200]);
      const refused = await fetch(`${url}/read`, sent);
      expect([type, refused.status, await refused.text()]).toEqual([
        type,
        415,
        expect.stringContaining('HTTP_BODY_NOT_JSON'),
      ]);
    }
  });

  test('with the method QUERY, which no route has, is a 404', async () => {
    const url = await serviceWith(start);
    expect((await fetch(`${url}/read`, { method: 'QUERY' })).status).toBe(404);
  });
});

describe('the head of an answer', () => {
  test('has the charset of its text, and no length without a body', async () => {
    const url = await serviceWith(({ container }) => {
      const text = route({
        method: 'get',
        path: '/text',
        answers: { 200: z.string() },
        handle: () => ({ headers: { 'Content-Type': 'text/csv' }, body: 'é' }),
      });
      const empty = route({ method: 'get', path: '/empty', answers: { 204: {} }, handle: () => ({ status: 204 }) });
      container.get(HttpRoutes).mount('/', [text, empty]);
    });
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await fetch(`${url}/text`, { method });
      expect([headers.get('content-type'), headers.get('content-length')]).toEqual(['text/csv; charset=utf-8', '4']);
      const answer = await fetch(`${url}/empty`, { method });
      expect([answer.status, answer.headers.get('content-length')]).toEqual([204, null]);
    }
  });
});

describe('rows of a route', () => {
  const rows = (failsAt: number) =>
    route({
      method: 'get',
      path: `/rows-${failsAt}`,
      answers: { 200: { rows: z.object({ n: z.int() }) } },
      handle: () => ({ body: rowsOf(numbers(failsAt), { format: 'ndjson' }), headers: { 'X-Rows': 'many' } }),
    });

  function* numbers(failsAt: number): Generator<{ n: number }> {
    for (let n = 0; n < 20_000; n++) {
      if (n === failsAt) throw new Error('half-way');
      yield { n };
    }
  }

  const start: Start = ({ container }) => {
    container.get(HttpRoutes).mount('/', [rows(-1), rows(0), rows(19_000)]);
  };

  test('are sent whole, and HEAD has their headers', async () => {
    const url = await serviceWith(start);
    const answer = await fetch(`${url}/rows--1`);
    expect((await answer.text()).split('\n')).toHaveLength(20_001);
    const head = await fetch(`${url}/rows--1`, { method: 'HEAD' });
    for (const { status, headers } of [answer, head])
      expect([status, headers.get('content-type'), headers.get('x-rows')]).toEqual([
        200,
        'application/x-ndjson; charset=utf-8',
        'many',
      ]);
  });

  test('that fail are a problem document before the first is sent, and cut the connection later', async () => {
    const url = await serviceWith(start);
    const failed = await fetch(`${url}/rows-0`);
    expect([failed.status, failed.headers.get('content-type')]).toEqual([500, 'application/problem+json']);
    await expect(fetch(`${url}/rows-19000`).then(answer => answer.text())).rejects.toThrow();
  });
});

describe('what needs Express', () => {
  test.each(['as a handler', 'as middleware'])(
    'a router %s is refused at the start: HTTP_EXPRESS_ROUTER',
    async how => {
      const router = Router().get('/', (_request, response) => void response.json({}));
      const started = serviceWith(({ container }) => {
        const server = container.get(HttpServer);
        if (how === 'as a handler') server.router('/plain', router);
        else server.use(router, { name: 'plain' });
      });
      await expect(started).rejects.toThrow('HTTP_EXPRESS_ROUTER  The handler at');
    },
  );

  test('an application is a handler like any other', async () => {
    const application = express().get('/', (_request, response) => void response.json({ made: true }));
    const url = await serviceWith(({ container }) => container.get(HttpServer).router('/plain', application));
    expect(await (await fetch(`${url}/plain`)).json()).toEqual({ made: true });
  });

  test('a plugin that says so is refused by the plan: PLAN_CAPABILITY_MISSING', async () => {
    await expect(serviceWith(() => {}, {}, ['express'])).rejects.toThrow(/PLAN_CAPABILITY_MISSING[\s\S]*express/);
  });
});

describe('middleware for Express that needs the request and the response of Node alone', () => {
  const long = 'x'.repeat(5_000);
  const start: Start = ({ container }) => {
    const server = container.get(HttpServer);
    server.use(compression(), { name: 'compression', stage: 'early' });
    server.use(helmet(), { name: 'helmet', stage: 'early' });
    server.use(cookieSession({ keys: ['key'] }), { name: 'login', stage: 'session', path: '/visits' });
    const visits = route({
      method: 'get',
      path: '/visits',
      answers: { 200: z.object({ visits: z.int(), long: z.string() }) },
      handle: ({ request }) => {
        const session: { visits?: number } = Reflect.get(request, 'session');
        session.visits = (session.visits ?? 0) + 1;
        return { body: { visits: session.visits, long } };
      },
    });
    container.get(HttpRoutes).mount('/', [visits]);
    server.router('/upload', (request, response) => {
      let bytes = 0;
      const form = busboy({ headers: request.headers });
      form.on('file', (_name, file) => file.on('data', (chunk: Buffer) => (bytes += chunk.length)));
      form.on('close', () => response.end(String(bytes)));
      request.pipe(form);
    });
  };

  test('helmet, compression and cookie-session run in their stages', async () => {
    const url = await serviceWith(start);
    const first = await fetch(`${url}/visits`);
    expect(await first.json()).toEqual({ visits: 1, long });
    expect(first.headers.get('content-encoding')).toMatch(/^(br|gzip|deflate)$/);
    expect(first.headers.has('content-security-policy')).toBe(true);
    const cookie = first.headers.getSetCookie().map(each => each.split(';')[0]);
    const second = await fetch(`${url}/visits`, { headers: { Cookie: cookie.join('; ') } });
    expect(await second.json()).toEqual({ visits: 2, long });
  });

  test('busboy reads an upload', async () => {
    const url = await serviceWith(start);
    const form = new FormData();
    form.set('file', new Blob(['y'.repeat(300_000)]), 'large.txt');
    expect(await (await fetch(`${url}/upload`, { method: 'POST', body: form })).text()).toBe('300000');
  });
});

describe('the instance of Fastify', () => {
  test('has plugins, hooks and routes, which know the client behind a trusted proxy', async () => {
    const url = await serviceWith(
      async ({ container }) => {
        const { app } = container.get(FastifyServer);
        await app.register(async scope => {
          scope.addHook('onSend', async (_request, reply) => void reply.header('X-Made-By', 'a hook'));
          scope.get('/about', async request => ({ ip: request.ip, protocol: request.protocol }));
        });
      },
      { trustProxy: 'loopback' },
    );
    const headers = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https' };
    const answer = await fetch(`${url}/about`, { headers });
    expect(await answer.json()).toEqual({ ip: '203.0.113.9', protocol: 'https' });
    expect(answer.headers.get('x-made-by')).toBe('a hook');
  });

  test('gets the body as it was read, and shows its own errors as problem documents', async () => {
    const schema = { body: { type: 'object', required: ['sku'] } };
    const url = await serviceWith(({ container }) => {
      const { app } = container.get(FastifyServer);
      app.post('/echo', { schema }, async request => request.body);
      app.get('/fail', async () => {
        throw new Error('the secret is 42');
      });
    });
    const post = (body: object) =>
      fetch(`${url}/echo`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect(await (await post({ sku: 'a' })).json()).toEqual({ sku: 'a' });
    const refused = await post({});
    expect([refused.status, refused.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    expect(await refused.json()).toMatchObject({ type: 'urn:keelson:problem:HTTP_REQUEST_REFUSED' });
    const failed = await fetch(`${url}/fail`);
    expect(failed.status).toBe(500);
    expect(await failed.text()).not.toContain('the secret');
  });

  test('has no route at a path that is written in another way, which middleware of the path does not see', async () => {
    const url = await serviceWith(({ container }) => {
      const { app } = container.get(FastifyServer);
      app.get('/inner/secret', async () => 'secret');
      app.get('/inner/files/*', async request => request.params);
      app.get('/inner/:id/lines/', async request => request.params);
      const guard: HttpHandler = (_request, response) => response.writeHead(401).end();
      container.get(HttpServer).use(guard, { name: 'guard', stage: 'early', path: '/inner' });
    });
    for (const path of ['/inner/secret', '/INNER/secret']) expect((await fetch(url + path)).status).toBe(401);
    for (const path of ['/%69nner/secret', '/inne%72/files/a', '/%69nner/7/lines'])
      expect([path, (await fetch(url + path)).status]).toEqual([path, 404]);
  });

  test('gets parameters and the rest of a path decoded', async () => {
    const url = await serviceWith(({ container }) => {
      const { app } = container.get(FastifyServer);
      app.get('/files/*', async request => request.params);
      app.get('/of/:id/lines/', async request => request.params);
      app.get('/report-:year.json', async request => request.params);
    });
    const read = async (path: string) => (await fetch(url + path)).json();
    expect(await read('/files/a%20b/c')).toEqual({ '*': 'a b/c' });
    expect(await read('/of/a%20b/lines')).toEqual({ id: 'a b' });
    expect(await read('/of/7/lines?q=%20')).toEqual({ id: '7' });
    expect(await read('/report-%32026.json')).toEqual({ year: '2026' });
  });

  test('hands a body whose type is no type to the handler of its path', async () => {
    const url = await serviceWith(({ container }) =>
      container.get(HttpServer).router('/hook', (_request, response) => response.end('taken')),
    );
    const answer = await fetch(`${url}/hook`, { method: 'POST', headers: { 'Content-Type': 'none' }, body: 'x' });
    expect([answer.status, await answer.text()]).toEqual([200, 'taken']);
  });
});
