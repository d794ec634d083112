import { createHmac, timingSafeEqual } from 'node:crypto';
import { on, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { finished } from 'node:stream';
import { definePlugin, HttpServer, KeelsonError, type Kernel, type Lifecycle } from '@keelson/core';
import { DatabaseModel, DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import { HttpRoutes, route, rowsOf } from '@keelson/http';
import httpPlugin, { currentSession, sendRows } from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { startKernel } from '@keelson/test-support/start-kernel';
import busboy from 'busboy';
import compression from 'compression';
import cookieSession from 'cookie-session';
import express, { type Request, type Response, Router } from 'express';
import session from 'express-session';
import helmet from 'helmet';
import passport from 'passport';
import { Strategy } from 'passport-local';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const source = readFileSync(new URL(import.meta.url), 'utf8');
const page = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8');

let testDatabase: TestDatabase;
let witness: pg.Client;
let kernel: Kernel | undefined;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  witness = new pg.Client({ connectionString: testDatabase.adminUrl });
  await witness.connect();
});

afterEach(async () => {
  await kernel?.stop();
  kernel = undefined;
  await witness.query('drop table if exists author, mikro_orm_migrations');
});

afterAll(async () => {
  await witness.end();
  await testDatabase[Symbol.asyncDispose]();
});

interface Parts {
  readonly http: HttpServer;
  readonly routes: HttpRoutes;
  readonly database: DatabaseService;
  readonly lifecycle: Lifecycle;
}

/** Its commit takes a while, and is refused for some: what a client sees too early shows. */
const slowCommit = `
  create or replace function at_commit() returns trigger language plpgsql as $$ begin
    perform pg_sleep(0.05);
    if new.email like 'refused%' then raise exception 'refused' using errcode = 'check_violation'; end if;
    return null;
  end $$;
  drop trigger if exists at_commit on author;
  create constraint trigger at_commit after insert on author deferrable initially deferred
    for each row execute function at_commit()`;

const authors = Router()
  .post('/', async (request, response) => {
    const { email } = request.body;
    await currentSession(request).insert(Author, { email });
    response.status(201).json({ email, padding: 'x'.repeat(5_000) });
  })
  .get('/slow', async (request, response) => {
    await currentSession(request).execute('select pg_sleep(30)');
    response.end();
  });

/** A service whose plugin does `start`, with the routes above at `/authors`. Returns its address. */
async function serve(start: (parts: Parts) => void, options: object = {}): Promise<string> {
  const shop = definePlugin({
    name: 'shop',
    requires: [HttpServer, HttpRoutes, DatabaseService],
    register: ({ bind }) => void bind(DatabaseModel).toConstantValue(sampleModel),
    start: ({ container, lifecycle }) => {
      const http = container.get(HttpServer);
      start({ http, routes: container.get(HttpRoutes), database: container.get(DatabaseService), lifecycle });
      http.router('/authors', authors);
    },
  });
  kernel = await startKernel({
    service: 'shop',
    plugins: { http: httpPlugin, retry, database: postgresql, shop },
    values: { http: options, database: { url: testDatabase.url, migrations: { atStart: true }, pool: { max: 2 } } },
  });
  await witness.query(slowCommit);
  return kernel.container.get(HttpServer).url ?? '';
}

const stored = async () =>
  (await witness.query<{ email: string }>('select email from author order by id')).rows.map(({ email }) => email);

const post = (url: string, body: object, init: RequestInit = {}) =>
  fetch(url, {
    ...init,
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...init.headers },
    body: JSON.stringify(body),
  });

/** No connection is lent, and nothing runs on the server for a client that has left. */
async function isFree(): Promise<void> {
  const database = kernel?.container.get(DatabaseService);
  await eventually(() => expect(database?.stats().busy).toBe(0), { that: 'all connections to be free' });
  const running = await witness.query(
    `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
     and backend_type = 'client backend' and application_name not like '% control'`,
  );
  expect(running.rowCount).toBe(0);
}

/** What must hold whatever middleware there is. */
async function keepsItsPromises(url: string, headers: Record<string, string> = {}): Promise<void> {
  const answer = await post(`${url}/authors`, { email: 'a@example.org' }, { headers });
  expect([answer.status, await stored()], 'stored before the first byte').toEqual([201, ['a@example.org']]);
  expect(await answer.json()).toMatchObject({ email: 'a@example.org' });

  const refused = await post(`${url}/authors`, { email: 'refused@example.org' }, { headers });
  expect(refused.headers.get('content-type'), 'the problem, and not the answer').toBe('application/problem+json');
  expect(await refused.json()).toMatchObject({ status: refused.status });
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect(await stored()).toEqual(['a@example.org']);

  const client = new AbortController();
  const slow = fetch(`${url}/authors/slow`, { headers, signal: client.signal });
  await eventually(() => kernel?.container.get(DatabaseService).stats().busy === 1, { that: 'the request to run' });
  client.abort();
  await expect(slow).rejects.toThrow();
  await isFree();
}

describe('the code of docs/http.md', () => {
  test('stands in this file, line for line', () => {
    const flat = (text: string) => text.replaceAll(/^ +/gm, '').trim();
    const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => flat(block ?? ''));
    expect(blocks.length).toBeGreaterThan(7);
    for (const block of blocks) expect(flat(source)).toContain(block);
  });

  test('the order', async () => {
    const url = await serve(({ http }) => {
      const isAdministrator = (request: Request) => request.get('X-Role') === 'administrator';
      const forbidden = () =>
        new KeelsonError({ code: 'FORBIDDEN', message: 'Forbidden.', http: { status: 403, title: 'Forbidden' } });

      http.use(helmet(), { name: 'helmet', stage: 'early' });
      http.use(compression(), { name: 'compression', stage: 'early', before: 'helmet' });
      http.use((request: Request, _response, next) => next(isAdministrator(request) ? undefined : forbidden()), {
        name: 'administrators-only',
        path: '/admin',
      });
      http.router('/admin', (_request, response) => void response.end('welcome'));
    });
    expect((await fetch(`${url}/admin`)).status).toBe(403);
    expect(await (await fetch(`${url}/admin`, { headers: { 'X-Role': 'administrator' } })).text()).toBe('welcome');
    const shown = await kernel?.operate('http', 'middleware', []);
    expect(shown).toBe('Requests pass early: compression, helmet; routes: administrators-only /admin.');
  });

  test('helmet and compression', async () => {
    const url = await serve(({ http }) => {
      http.use(compression(), { name: 'compression', stage: 'early' });
      http.use(helmet(), { name: 'helmet', stage: 'early' });
    });
    const answer = await post(`${url}/authors`, { email: 'z@example.org' });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'self'");
    await witness.query('truncate author');
    await keepsItsPromises(url);
    await witness.query('truncate author');
    await keepsItsPromises(url, { 'Accept-Encoding': 'identity' });
  });

  test('raw bodies', async () => {
    const secret = 'of the payment service';
    const url = await serve(({ http }) => {
      http.use(express.raw({ type: '*/*', limit: '1mb' }), { name: 'raw-body', stage: 'early', path: '/webhooks' });

      const isSigned = (body: Buffer, signature = '') => {
        const expected = createHmac('sha256', secret).update(body).digest();
        const given = Buffer.from(signature, 'hex');
        return given.length === expected.length && timingSafeEqual(given, expected);
      };
      const payments = Router().post('/payments', async (request, response) => {
        const body: Buffer = request.body ?? Buffer.alloc(0);
        if (!isSigned(body, request.get('X-Signature'))) throw notSigned();
        const { email } = JSON.parse(body.toString());
        await currentSession(request).insert(Author, { email });
        response.status(204).end();
      });
      const notSigned = () =>
        new KeelsonError({ code: 'NOT_SIGNED', message: 'No signature.', http: { status: 401, title: 'Not signed' } });
      http.router('/webhooks', payments);
    });
    const text = '{ "email" : "paid@example.org" }';
    const signature = createHmac('sha256', secret).update(text).digest('hex');
    const send = (body: string, headers: Record<string, string>) =>
      fetch(`${url}/webhooks/payments`, {
        method: 'POST',
        body,
        headers: { 'Content-Type': 'application/json', ...headers },
      });
    expect((await send(text, { 'X-Signature': signature })).status).toBe(204);
    expect(await stored()).toEqual(['paid@example.org']);
    for (const headers of [{}, { 'X-Signature': 'zz' }, { 'X-Signature': signature.replace(/^./, 'g') }])
      expect((await send(text, headers as Record<string, string>)).status).toBe(401);
    expect((await send(`${text} `, { 'X-Signature': signature })).status).toBe(401);
    expect((await send('x'.repeat(1_100_000), {})).status).toBe(413);
    expect(await stored()).toEqual(['paid@example.org']);
    await witness.query('truncate author');
    await keepsItsPromises(url);
  });

  test('uploads', async () => {
    const url = await serve(({ http, database }) => {
      const uploads = Router().post('/', async (request, response) => {
        let count = 0;
        for await (const { name, file } of filesOf(request)) {
          let bytes = 0;
          for await (const chunk of file) bytes += chunk.length;
          await database.session(em => em.insert(Author, { email: name, name: `${bytes} bytes` }));
          count += 1;
        }
        response.status(201).json({ count });
      });

      /** One after the other: read each before you ask for the next. */
      async function* filesOf(request: Request) {
        const form = formOf(request);
        // Without these listeners, a form that is cut off would end the process.
        form.on('error', asRefusal).on('file', (_name, file) => file.on('error', asRefusal));
        finished(request, error => error && form.destroy(error));
        request.pipe(form);
        try {
          for await (const [, file, { filename }] of on(form, 'file', { close: ['close'] })) {
            yield { name: filename, file };
            if (file.truncated) throw asRefusal(new Error('A file is too large.'), 413);
          }
        } finally {
          request.unpipe(form).resume(); // what is left of a form that was refused
        }
      }

      function formOf(request: Request) {
        try {
          return busboy({ headers: request.headers, limits: { files: 10, fileSize: 1_000_000 } });
        } catch (error) {
          throw asRefusal(error as Error, 415);
        }
      }

      /** An error whose status and message the client gets, in the form that Express middleware uses. */
      function asRefusal(error: Error, status = 400): Error {
        return Object.assign(error, { status, expose: true });
      }
      http.router('/uploads', uploads);
    });
    const formOf = (...sizes: number[]) => {
      const form = new FormData();
      for (const [at, size] of sizes.entries()) form.append('files', new Blob(['x'.repeat(size)]), `${at}.bin`);
      return form;
    };
    const send = (body: FormData) => fetch(`${url}/uploads`, { method: 'POST', body });
    expect(await (await send(formOf(10, 500_000, 0))).json()).toEqual({ count: 3 });
    expect(await stored()).toEqual(['0.bin', '1.bin', '2.bin']);
    expect((await post(`${url}/uploads`, {})).status).toBe(415);

    await witness.query('truncate author');
    expect((await send(formOf(10, 1_000_001))).status, 'the second file is too large').toBe(413);
    expect(await stored(), 'nothing of the whole form').toEqual([]);

    const boundary = 'xyz';
    const half = `--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nhalf`;
    const headers = { 'Content-Type': `multipart/form-data; boundary=${boundary}` };
    const cut = await fetch(`${url}/uploads`, { method: 'POST', body: half, headers });
    expect(cut.status, 'a form without its end').toBe(400);
    expect((await fetch(`${url}/uploads`, { method: 'POST', body: half })).status).toBe(415);
    expect((await send(formOf(10, 10_000_000))).status, 'refused long before its end').toBe(413);

    const client = new AbortController();
    const body = new ReadableStream({
      async pull(stream) {
        stream.enqueue(new TextEncoder().encode(`${half}\r\n`));
        stream.enqueue(new TextEncoder().encode(half));
        await new Promise(() => {});
      },
    });
    const sent = fetch(`${url}/uploads`, { method: 'POST', body, headers, signal: client.signal, duplex: 'half' });
    await eventually(() => kernel?.container.get(DatabaseService).stats().busy === 1, { that: 'a file to be stored' });
    client.abort();
    await expect(sent).rejects.toThrow();
    await isFree();
    expect(await stored()).toEqual([]);
    await keepsItsPromises(url);
  });

  test('server-sent events', async () => {
    const url = await serve(({ http, database, lifecycle }) => {
      const events = Router().get('/', async (_request, response: Response) => {
        const closed = new AbortController();
        response.once('close', () => closed.abort());
        const over = AbortSignal.any([closed.signal, lifecycle.stopping]);
        response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache, no-transform' });
        response.flushHeaders();
        const subscription = await database.listen('authors', event => {
          if (response.writableLength > 1_000_000) response.destroy(); // this client does not read
          if (event.is === 'message') response.write(`data: ${event.payload}\n\n`);
        });
        const heartbeat = setInterval(() => response.write(':\n\n'), 20_000);
        if (!over.aborted) await once(over, 'abort');
        clearInterval(heartbeat);
        await subscription.close();
        response.end();
      });
      http.router('/events', events);
      http.use(compression(), { name: 'compression', stage: 'early' });
    });
    const database = kernel?.container.get(DatabaseService);
    const client = new AbortController();
    const answer = await fetch(`${url}/events`, { signal: client.signal });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    let received = '';
    const reading = (async () => {
      for await (const text of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) received += text;
    })();
    await eventually(async () => {
      await database?.session(async (_em, session) => session.notify('authors', 'ada'));
      expect(received).toContain('data: ada\n\n');
    });
    expect(database?.stats().busy, 'no connection of the pool is held').toBe(0);
    client.abort();
    await expect(reading).rejects.toThrow();

    const other = await fetch(`${url}/events`);
    const rest = other.text();
    await keepsItsPromises(url);
    const stopped = await kernel?.stop();
    expect(stopped?.outcome).toBe('clean');
    await rest;
  });

  test('rows', async () => {
    const url = await serve(({ http, routes }) => {
      const exportAuthors = route({
        method: 'get',
        path: '/',
        query: z.object({ format: z.enum(['ndjson', 'csv']).default('ndjson') }),
        answers: { 200: { description: 'All authors.', rows: z.object({ id: z.int(), email: z.string() }) } },
        handle: ({ query: { format } }) => ({
          body: rowsOf(em => em.stream(Author, { orderBy: { id: 'asc' } }), { format, fileName: `authors.${format}` }),
        }),
      });
      routes.mount('/export', [exportAuthors]);

      type Tables = { author: { id: number; email: string } };
      const report = Router().get('/', (_request, response) =>
        sendRows(response, em => em.getKysely<Tables>().selectFrom('author').select(['id', 'email']).stream(1_000), {
          format: 'csv',
          columns: ['id', 'email'],
          timeoutMs: 600_000,
        }),
      );
      http.router('/report', report);
      http.use(compression(), { name: 'compression', stage: 'early' });
    });
    await witness.query('drop trigger at_commit on author');
    await witness.query(`insert into author (id, email) select n, n || '@example.org' from generate_series(1, 4000) n`);
    for (const path of ['/export', '/export?format=csv', '/report']) {
      const answer = await fetch(`${url}${path}`);
      const lines = (await answer.text()).trimEnd().split(/\r?\n/);
      const isCsv = path !== '/export';
      expect([answer.headers.get('content-encoding'), lines.length]).toEqual([
        isCsv ? 'gzip' : null,
        isCsv ? 4_001 : 4_000,
      ]);
      expect(lines.at(-1)).toContain('4000@example.org');
    }
    await isFree();
    const client = new AbortController();
    const left = await fetch(`${url}/report`, { signal: client.signal });
    client.abort();
    await expect(left.text()).rejects.toThrow();
    await isFree();
  });

  test('cookies', async () => {
    const url = await serve(
      ({ http }) => {
        const keys = ['a secret of the service'];
        http.use(cookieSession({ name: 'visit', keys, sameSite: 'lax', secure: true, maxAge: 86_400_000 }), {
          name: 'cookies',
          stage: 'early',
        });

        const visits = Router().get('/', (request: Request, response) => {
          const visit = request.session as CookieSessionInterfaces.CookieSessionObject;
          visit.count = (visit.count ?? 0) + 1;
          response.json({ count: visit.count });
        });
        http.router('/visits', visits);
        const refusedVisit = Router().post('/', async (request, response) => {
          Reflect.set(request.session ?? {}, 'count', 100);
          await currentSession(request).insert(Author, { email: 'refused@example.org' });
          response.json({ count: 100 });
        });
        http.router('/refused-visit', refusedVisit);
      },
      { trustProxy: 1 },
    );
    const secure = { 'X-Forwarded-Proto': 'https' };
    const first = await fetch(`${url}/visits`, { headers: secure });
    expect(await first.json()).toEqual({ count: 1 });
    const cookie = first.headers
      .getSetCookie()
      .map(text => text.split(';')[0])
      .join('; ');
    const second = await fetch(`${url}/visits`, { headers: { ...secure, Cookie: cookie } });
    expect(await second.json()).toEqual({ count: 2 });
    const forged = await fetch(`${url}/visits`, {
      headers: { ...secure, Cookie: cookie.replace('visit=', 'visit=x') },
    });
    expect(await forged.json()).toEqual({ count: 1 });
    const refused = await post(`${url}/refused-visit`, {}, { headers: secure });
    expect([refused.ok, refused.headers.getSetCookie()], 'no cookie says what is not stored').toEqual([false, []]);
    await keepsItsPromises(url, { ...secure, Cookie: cookie });
  });

  test('passport', async () => {
    const url = await serve(({ http, database }) => {
      const users = new passport.Passport();
      users.use(
        new Strategy(async (email, password, done) => {
          try {
            const found = await database.read(em => em.findOne(Author, { email }));
            done(null, found !== null && password === 'correct' ? found : false);
          } catch (error) {
            done(error);
          }
        }),
      );
      users.serializeUser((user, done) => done(null, Reflect.get(user, 'id')));
      users.deserializeUser(async (id: number, done) => {
        try {
          done(null, await database.read(em => em.findOne(Author, { id })));
        } catch (error) {
          done(error);
        }
      });

      const keep = session({ secret: 'a secret of the service', resave: false, saveUninitialized: false });
      http.use(keep, { name: 'login-cookie', stage: 'early' });
      http.use(users.session(), { name: 'user', stage: 'session' });
      http.router(
        '/login',
        Router().post('/', users.authenticate('local'), (_request, response) => response.end()),
      );
      http.router(
        '/me',
        Router().get('/', (request, response) => void response.json(request.user ?? null)),
      );
    });
    await witness.query(`insert into author (email) values ('ada@example.org')`);
    const login = (password: string) => post(`${url}/login`, { username: 'ada@example.org', password });
    expect((await login('wrong')).status).toBe(401);
    const answer = await login('correct');
    expect(answer.status).toBe(200);
    const Cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const me = await fetch(`${url}/me`, { headers: { Cookie } });
    expect(await me.json()).toMatchObject({ email: 'ada@example.org' });
    expect(await (await fetch(`${url}/me`)).json()).toBeNull();
    await isFree();
    await witness.query('truncate author');
    await keepsItsPromises(url, { Cookie });
  });

  test('behind a proxy', async () => {
    const url = await serve(
      ({ http }) => {
        const client = Router().get('/', (request, response) => {
          response.json({ address: request.ip, protocol: request.protocol, host: request.hostname });
        });
        http.router('/client', client);
      },
      { trustProxy: '10.0.0.0/8, loopback' },
    );
    const forwarded = (headers: Record<string, string>) =>
      fetch(`${url}/client`, { headers }).then(answer => answer.json());
    expect(
      await forwarded({
        'X-Forwarded-For': '6.6.6.6, 203.0.113.7, 10.1.2.3',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'shop.example.com',
      }),
    ).toEqual({ address: '203.0.113.7', protocol: 'https', host: 'shop.example.com' });
  });
});

test('a middleware that cannot be ordered ends the start: HTTP_MIDDLEWARE_INVALID', async () => {
  const started = serve(({ http }) => http.use(helmet(), { name: 'helmet', before: 'nothing' }));
  await expect(started).rejects.toMatchObject({ message: expect.stringContaining('helmet') });
});
