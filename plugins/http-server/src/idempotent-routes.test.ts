import { HttpRoutes, type Route, route } from '@keelson/http';
import { CreateIdempotencyKeys } from '@keelson/http/idempotency';
import { eventually } from '@keelson/test-support/eventually';
import { Author, sampleModel } from '@keelson/test-support/sample-model';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { AuthorServices, type Start, urlOf } from './author-services.fixture.js';
import { gate, problemFrom } from './harness.fixture.js';

let services: AuthorServices;

beforeAll(async () => {
  services = await AuthorServices.create();
});
afterEach(() => services.clear());
afterAll(() => services[Symbol.asyncDispose]());

interface Setting {
  readonly migrations: readonly (typeof CreateIdempotencyKeys)[];
  readonly database: object;
}

/** One instance of a service with `routes` at `/authors`. */
async function instanceWith(
  routes: readonly Route[],
  { migrations = [CreateIdempotencyKeys], database = {} }: Partial<Setting> = {},
): Promise<string> {
  const model = { ...sampleModel, migrations: [...sampleModel.migrations, ...migrations] };
  const start: Start = ({ container }) => container.get(HttpRoutes).mount('/authors', routes);
  return urlOf(await services.start(start, { model, values: { database } }));
}

let nextId = 1;

/** Each run of it makes another author. */
const add = (options: { caller?: boolean; keepMs?: number; during?: () => Promise<void> } = {}) =>
  route({
    method: 'post',
    path: '/',
    body: z.strictObject({ email: z.string() }),
    answers: { 201: z.object({ id: z.int(), email: z.string() }) },
    idempotent: {
      ...(options.keepMs !== undefined && { keepMs: options.keepMs }),
      ...(options.caller === true && { caller: request => String(request.headers['x-customer']) }),
    },
    handle: async ({ em, body }) => {
      const { id, email } = em.create(Author, { id: nextId++, email: body.email });
      await em.flush();
      await options.during?.();
      return { status: 201, headers: { Location: `/authors/${id}` }, body: { id, email } };
    },
  });

function post(url: string, email: string, key?: string, headers: object = {}): Promise<Response> {
  return fetch(`${url}/authors`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key !== undefined && { 'Idempotency-Key': key }), ...headers },
    body: JSON.stringify({ email }),
  });
}

const stored = () => services.storedEmails();

describe('an idempotent route', () => {
  test('gives the first answer to every repetition, and does the work once', async () => {
    const url = await instanceWith([add()]);
    const first = await post(url, 'a@example.org', 'k-1');
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    const body = await first.text();
    for (const key of ['k-1', '"k-1"']) {
      const again = await post(url, 'a@example.org', key);
      expect(again.status).toBe(201);
      expect(again.headers.get('location')).toBe(first.headers.get('location'));
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await again.text()).toBe(body);
    }
    expect(await stored()).toEqual(['a@example.org']);
  });

  test('takes another key, another caller and no key for another request', async () => {
    const url = await instanceWith([add({ caller: true })]);
    await post(url, 'a@example.org', 'k', { 'X-Customer': '1' });
    await post(url, 'b@example.org', 'k2', { 'X-Customer': '1' });
    await post(url, 'c@example.org', 'k', { 'X-Customer': '2' });
    await post(url, 'd@example.org');
    await post(url, 'e@example.org');
    expect(await stored()).toHaveLength(5);
  });

  test('refuses the key of a request with other content: 422', async () => {
    const url = await instanceWith([add()]);
    await post(url, 'a@example.org', 'k');
    expect(await problemFrom(await post(url, 'b@example.org', 'k'))).toMatchObject({
      status: 422,
      body: { type: expect.stringContaining('HTTP_IDEMPOTENCY_KEY_REUSED') },
    });
    expect(await stored()).toEqual(['a@example.org']);
  });

  test('refuses a request without a key where one is required', async () => {
    const required = { ...add(), idempotency: { required: true, keepMs: 60_000, caller: () => '' } };
    const url = await instanceWith([required]);
    expect(await problemFrom(await post(url, 'a@example.org'))).toMatchObject({
      status: 400,
      body: { type: expect.stringContaining('HTTP_IDEMPOTENCY_KEY_INVALID') },
    });
    expect((await post(url, 'a@example.org', 'k')).status).toBe(201);
  });

  test('keeps nothing of a refusal or an error: a repetition is tried again', async () => {
    let refuses = true;
    const moody = route({
      method: 'post',
      path: '/',
      answers: { 201: {}, 409: {} },
      idempotent: true,
      handle: async ({ em }) => {
        em.create(Author, { id: nextId++, email: 'm@example.org' });
        await em.flush();
        if (refuses) return { status: 409 };
        return { status: 201 };
      },
    });
    const url = await instanceWith([moody]);
    expect((await post(url, 'm', 'k')).status).toBe(409);
    expect(await stored()).toEqual([]);
    refuses = false;
    expect((await post(url, 'm', 'k')).status).toBe(201);
    expect((await post(url, 'm', 'k')).status).toBe(201);
    expect(await stored()).toEqual(['m@example.org']);
  });

  test('waits for a running request with the same key, on another instance too', async () => {
    const slow = gate();
    const first = await instanceWith([add({ during: slow.pass })]);
    const second = await instanceWith([add()]);
    const running = post(first, 'a@example.org', 'k');
    await slow.arrived;
    const waiting = post(second, 'a@example.org', 'k');
    await eventually(async () => {
      const { rows } = await services.witness.query(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%keelson_idempotency_keys%'",
      );
      expect(rows).toHaveLength(1);
    });
    slow.open();
    const [one, two] = await Promise.all([running, waiting]);
    expect(await two.text()).toBe(await one.text());
    expect(await stored()).toEqual(['a@example.org']);
  });

  test('answers 409 when the running request takes longer than a lock may', async () => {
    const slow = gate();
    const url = await instanceWith([add({ during: slow.pass })], { database: { lockTimeoutMs: 200 } });
    const running = post(url, 'a@example.org', 'k');
    await slow.arrived;
    expect(await problemFrom(await post(url, 'a@example.org', 'k'))).toMatchObject({
      status: 409,
      retryAfter: '1',
      body: { type: expect.stringContaining('HTTP_IDEMPOTENCY_KEY_IN_USE') },
    });
    slow.open();
    expect((await running).status).toBe(201);
  });

  test('does the work of 40 requests with 5 keys five times, on two instances', async () => {
    const urls = await Promise.all([instanceWith([add()]), instanceWith([add()])]);
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const answer = await post(urls[at % 2] ?? '', `${at % 5}@example.org`, `k-${at % 5}`);
        return `${answer.status} ${await answer.text()}`;
      }),
    );
    expect(new Set(answers).size).toBe(5);
    expect(await stored()).toHaveLength(5);
  });

  test('has done the work once when the answer of its COMMIT is lost, and the client has gone when it is known', async () => {
    await using proxy = await startTcpProxy({ to: services.database.url });
    const url = await instanceWith([add()], { database: { url: proxy.url(services.database.url) } });
    const client = new AbortController();
    const cut = proxy.onceAtCommit('after').then(() => client.abort());
    const lost = fetch(`${url}/authors`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k' },
      body: '{"email":"a@example.org"}',
      signal: client.signal,
    });
    await cut;
    await lost.catch(() => {});
    const again = await post(url, 'a@example.org', 'k');
    expect(again.status).toBe(201);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await stored()).toEqual(['a@example.org']);
  });

  test('forgets a key when its time is over', async () => {
    const url = await instanceWith([add({ keepMs: 1 })]);
    await post(url, 'a@example.org', 'k');
    await eventually(async () => expect((await post(url, 'b@example.org', 'k')).status).toBe(201));
    expect((await stored()).length).toBeGreaterThan(1);
  });

  test('is described with its header', async () => {
    const url = await instanceWith([add()]);
    expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({
      paths: { '/authors': { post: { parameters: [{ name: 'Idempotency-Key', in: 'header' }] } } },
    });
  });

  test('keeps the service from starting when its table is missing, with the statement that makes it', async () => {
    await expect(instanceWith([add()], { migrations: [] })).rejects.toMatchObject({
      cause: { code: 'HTTP_IDEMPOTENCY_TABLE_MISSING', hint: expect.stringContaining('create table') },
    });
  });
});
