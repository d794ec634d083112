import { definePlugin, type HttpHandler, HttpServer, KeelsonError, type Kernel, Logger, Metrics } from '@keelson/core';
import { RecordingLogger, RecordingMetrics } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import postgresql from '@keelson/database-postgresql';
import { RateLimitKey } from '@keelson/http';
import { eventually } from '@keelson/test-support/eventually';
import { filling } from '@keelson/test-support/filling';
import { startKernel } from '@keelson/test-support/start-kernel';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AuthorServices, urlOf } from './author-services.fixture.js';
import { problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { http, Router } from './server-under-test.fixture.js';

interface Instance {
  readonly url: string;
  readonly kernel: Kernel;
  readonly metrics: RecordingMetrics;
  readonly logger: RecordingLogger;
  /** Calls of handlers. */
  handled: number;
  /** Calls of middleware in the first stage. */
  begun: number;
}

let services: AuthorServices;

beforeAll(async () => {
  services = await AuthorServices.create();
});
afterEach(() => services.clear());
afterAll(() => services[Symbol.asyncDispose]());

async function instanceWith(
  rateLimits: object,
  { http: options = {}, url, keys = [] }: { http?: object; url?: string; keys?: readonly RateLimitKey[] } = {},
): Promise<Instance> {
  const metrics = new RecordingMetrics();
  const logger = new RecordingLogger();
  const instance = { handled: 0, begun: 0 };
  const routes = definePlugin({
    name: 'routes',
    requires: [HttpServer],
    register: ({ bind }) => {
      for (const key of keys) bind(RateLimitKey).toConstantValue(key);
    },
    start: ({ container }) => {
      const server = container.get(HttpServer);
      const begin: HttpHandler = (_request, _response, next) => {
        instance.begun += 1;
        next();
      };
      server.use(begin, { name: 'begin', stage: 'early' });
      server.router('/readyz', (_request, response) => response.end('ready'), { session: 'none' });
      server.router(
        '/orders',
        Router().all('/{*rest}', (_request, response) => {
          instance.handled += 1;
          response.json('done');
        }),
      );
      server.router('/rows', async (request, response) => {
        instance.handled += 1;
        response.end(JSON.stringify(await currentSession(request).execute('select 1')));
      });
    },
  });
  const kernel = await startKernel({
    plugins: {
      metrics: filling('metrics', Metrics, metrics),
      logger: filling('logger', Logger, logger),
      http,
      routes,
      ...(url !== undefined && { database: postgresql }),
    },
    values: {
      http: { rateLimits, ...options },
      ...(url !== undefined && { database: { url, pool: { max: 2 } } }),
    },
  });
  services.adopt(kernel);
  return Object.assign(instance, { kernel, metrics, logger, url: urlOf(kernel) });
}

const statusOf = async (url: string, init?: RequestInit) => {
  const response = await fetch(url, init);
  await response.arrayBuffer();
  return response.status;
};
const statusesOf = async (count: number, url: string, init?: RequestInit) => {
  const statuses: number[] = [];
  for (let index = 0; index < count; index++) statuses.push(await statusOf(url, init));
  return statuses;
};
const from = (address: string, more: Record<string, string> = {}) => ({
  headers: { 'X-Forwarded-For': address, ...more },
});
const hour = 3_600_000;

describe('a limit in memory', () => {
  test('lets so many through, says how many are left, and refuses the rest until the window ends', async () => {
    const instance = await instanceWith({ api: { limit: 2, windowMs: 4_000 } });
    const url = `${instance.url}/orders`;
    const first = await fetch(url);
    expect(first.headers.get('ratelimit-policy')).toBe('"api";q=2;w=4');
    expect(first.headers.get('ratelimit')).toBe('"api";r=1;t=4');
    expect(first.headers.get('retry-after')).toBeNull();
    expect((await fetch(url)).headers.get('ratelimit')).toMatch(/^"api";r=0;t=[1-4]$/);
    const refused = await fetch(url);
    const { status, type, body, retryAfter } = await problemFrom(refused);
    expect([status, type]).toEqual([429, 'application/problem+json']);
    expect(body).toMatchObject({
      type: 'urn:keelson:problem:HTTP_RATE_LIMITED',
      title: 'Too Many Requests',
      detail: 'Only 2 such requests are answered in 4 s. The request was not carried out.',
    });
    const [, left] = /^"api";r=0;t=(\d)$/.exec(refused.headers.get('ratelimit') ?? '') ?? [];
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(Number(left));
    expect(instance.handled).toBe(2);
    expect(instance.metrics.value('http.server.rate_limit.refusals', { 'http.rate_limit.name': 'api' })).toBe(1);
    await eventually(async () => expect(await statusOf(url)).toBe(200), { intervalMs: 200, timeoutMs: 15_000 });
  });

  test('never counts probes, and counts for each address behind the proxies that are trusted', async () => {
    const instance = await instanceWith({ api: { limit: 1, windowMs: hour } }, { http: { trustProxy: 1 } });
    const url = `${instance.url}/orders`;
    expect(await statusesOf(20, `${instance.url}/readyz`)).toEqual(Array(20).fill(200));
    expect(await statusesOf(2, url, from('203.0.113.1'))).toEqual([200, 429]);
    expect(await statusesOf(2, url, from('203.0.113.2'))).toEqual([200, 429]);
    // What a client puts in front of the entry of the proxy is not believed.
    expect(await statusOf(url, from('198.51.100.9, 203.0.113.1'))).toBe(429);
    expect(await statusesOf(2, url, from('2001:db8:1:2::1'))).toEqual([200, 429]);
    expect(await statusOf(url, from('2001:db8:1:2:ffff:ffff:ffff:ffff'))).toBe(429);
    expect(await statusOf(url, from('2001:db8:1:3::1'))).toBe(200);
  });

  test('does not believe X-Forwarded-For where no proxy is trusted', async () => {
    const instance = await instanceWith({ api: { limit: 1, windowMs: hour } });
    expect(await statusOf(`${instance.url}/orders`, from('203.0.113.1'))).toBe(200);
    expect(await statusOf(`${instance.url}/orders`, from('203.0.113.2'))).toBe(429);
  });

  test('counts by a header, and a request without it by its address', async () => {
    const instance = await instanceWith({ api: { limit: 1, windowMs: hour, by: 'header:X-Api-Key' } });
    const url = `${instance.url}/orders`;
    const withKey = (key: string) => ({ headers: { 'X-Api-Key': key } });
    expect(await statusesOf(2, url, withKey('one'))).toEqual([200, 429]);
    expect(await statusesOf(2, url, withKey('two'))).toEqual([200, 429]);
    expect(await statusesOf(2, url, withKey('x'.repeat(8_000)))).toEqual([200, 429]);
    expect(await statusesOf(2, url)).toEqual([200, 429]);
    expect(await statusOf(url, withKey(''))).toBe(429);
  });

  test('counts by a key of the service, which may refuse', async () => {
    const tenant: RateLimitKey = {
      name: 'tenant',
      of: ({ headers }) => {
        if (headers['x-tenant'] === 'nobody')
          throw new KeelsonError({ code: 'NO_TENANT', message: 'No.', http: { status: 401, title: 'Unauthorized' } });
        return headers['x-tenant']?.toString();
      },
    };
    const instance = await instanceWith({ api: { limit: 1, windowMs: hour, by: 'tenant' } }, { keys: [tenant] });
    const url = `${instance.url}/orders`;
    const ofTenant = (name: string) => ({ headers: { 'X-Tenant': name } });
    expect(await statusesOf(2, url, ofTenant('acme'))).toEqual([200, 429]);
    expect(await statusOf(url, ofTenant('other'))).toBe(200);
    expect(await statusOf(url, ofTenant('nobody'))).toBe(401);
  });

  test('counts the methods and paths that it names, as routers see them', async () => {
    const instance = await instanceWith({
      reads: { limit: 2, windowMs: hour, methods: ['GET'], paths: ['/orders/:id/lines'] },
      writes: { limit: 1, windowMs: hour, methods: ['POST'], paths: ['/orders'] },
    });
    const { url } = instance;
    const put = (method: string, path: string) => statusOf(`${url}${path}`, { method });
    expect(await statusesOf(3, `${url}/orders`)).toEqual([200, 200, 200]);
    expect([await put('GET', '/orders/7/lines'), await put('HEAD', '/ORDERS/8/Lines/')]).toEqual([200, 200]);
    expect([await put('GET', '/orders/9/lines/1'), await put('GET', '/orders/9/linesman')]).toEqual([429, 200]);
    expect([await put('POST', '/orders/'), await put('POST', '/orders?x=1'), await put('PUT', '/orders')]).toEqual([
      200, 429, 200,
    ]);
  });

  test('counts with all others that apply, until one refuses', async () => {
    const instance = await instanceWith({
      burst: { limit: 1, windowMs: 3_000 },
      daily: { limit: 2, windowMs: 86_400_000 },
    });
    const url = `${instance.url}/orders`;
    const first = await fetch(url);
    expect(first.headers.get('ratelimit-policy')).toBe('"burst";q=1;w=3, "daily";q=2;w=86400');
    expect(first.headers.get('ratelimit')).toBe('"burst";r=0;t=3, "daily";r=1;t=86400');
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get('ratelimit')]).toEqual([
      429,
      expect.stringMatching(/^"burst";r=0;t=[1-3]$/),
    ]);
    await eventually(async () => expect(await statusOf(url)).toBe(200), { intervalMs: 100, timeoutMs: 15_000 });
    await eventually(async () => expect((await fetch(url)).headers.get('retry-after')).toMatch(/^86/), {
      intervalMs: 100,
      timeoutMs: 15_000,
    });
  });

  test('lets a preflight request through uncounted, and shows its refusal to pages of other origins', async () => {
    const origin = 'https://app.example.com';
    const instance = await instanceWith(
      { api: { limit: 1, windowMs: hour } },
      { http: { cors: { origins: [origin] } } },
    );
    const url = `${instance.url}/orders`;
    const preflight = { method: 'OPTIONS', headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' } };
    expect(await statusesOf(3, url, preflight)).toEqual([204, 204, 204]);
    expect(await statusOf(url)).toBe(200);
    const refused = await fetch(url, { headers: { Origin: origin } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([429, origin]);
  });
});

describe('a limit in the database', () => {
  const shared = { api: { limit: 5, windowMs: hour, store: 'database', by: 'header:X-Api-Key' } };

  test('is one for two instances, whichever is asked, and costs nothing more once it is reached', async () => {
    const instances = await Promise.all([
      instanceWith(shared, { url: services.database.url }),
      instanceWith(shared, { url: services.database.url }),
    ]);
    const urls = instances.map(({ url }) => `${url}/rows`);
    const fellBack = () =>
      instances.reduce((sum, { metrics }) => sum + (metrics.value('http.server.rate_limit.fallbacks') ?? 0), 0);
    let statuses: number[] = [];
    let before = -1;
    let round = 0;
    let headers = {};
    // On a machine that is too busy, the database does not answer in time, and instances count for themselves.
    while (before !== fellBack()) {
      before = fellBack();
      round += 1;
      headers = { 'X-Api-Key': `round ${round}` };
      for (const instance of instances) instance.handled = 0;
      statuses = await Promise.all(
        Array.from({ length: 20 }, (_, index) => statusOf(urls[index % 2] ?? '', { headers })),
      );
    }
    expect(statuses.toSorted()).toEqual([...Array(5).fill(200), ...Array(15).fill(429)]);
    expect(instances.reduce((sum, { handled }) => sum + handled, 0)).toBe(5);
    const { rows } = await services.witness.query<{ key: string }>('select key from keelson_rate_limits');
    expect(rows).toHaveLength(round);
    expect(rows[0]?.key).toMatch(/^[\w-]{43}$/);
    const acquired = () =>
      instances.map(({ kernel }) => kernel.container.get(DatabaseService).stats().counters.acquired);
    for (const url of urls) await statusOf(url, { headers });
    const sofar = acquired();
    for (const url of urls) expect(await statusOf(url, { headers })).toBe(429);
    expect(acquired(), 'a limited request opens no session').toEqual(sofar);
  });

  test('begins again when the window has ended, by the clock of the server, and old windows are deleted', async () => {
    const short = { api: { limit: 1, windowMs: 3_000, store: 'database' } };
    const one = await instanceWith(short, { url: services.database.url });
    const two = await instanceWith(short, { url: services.database.url });
    expect([await statusOf(`${one.url}/orders`), await statusOf(`${two.url}/orders`)]).toEqual([200, 429]);
    await eventually(async () => expect(await statusOf(`${two.url}/orders`)).toBe(200), {
      intervalMs: 100,
      timeoutMs: 15_000,
    });
  });

  test('is counted in each instance while the database is away, quickly, with one line in the log', async () => {
    await using proxy = await startTcpProxy({ to: services.database.url });
    const instance = await instanceWith(shared, { url: proxy.url() });
    const url = `${instance.url}/orders`;
    expect(await statusOf(url)).toBe(200);
    await proxy.setMode('refuse');
    proxy.cut();
    const startedAt = performance.now();
    expect(await statusesOf(6, url)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const told = () => instance.logger.lines('warn').filter(({ message }) => message.startsWith('requests counted'));
    expect(told()).toHaveLength(1);
    expect(told()[0]?.facts).toMatchObject({ rateLimit: 'api' });
    await proxy.setMode('pass');
  });

  test('begins nothing for a client that has left while it was counted', async () => {
    await using proxy = await startTcpProxy({ to: services.database.url });
    const instance = await instanceWith(shared, { url: proxy.url() });
    const { url, metrics } = instance;
    const leaving = new AbortController();
    const fellBack = () => metrics.value('http.server.rate_limit.fallbacks', { 'http.rate_limit.name': 'api' });
    await proxy.setMode('blackhole');
    const left = fetch(`${url}/orders`, { signal: leaving.signal }).catch(() => {});
    await eventually(() => expect(metrics.value('http.server.active_requests')).toBe(1));
    leaving.abort();
    await left;
    await eventually(() => expect(fellBack()).toBe(1), { timeoutMs: 10_000 });
    await proxy.setMode('pass');
    expect(await statusOf(`${url}/orders`)).toBe(200);
    expect(instance.begun).toBe(1);
  });

  test('is asked for requests whose client does not wait: none of them turns it off for others', async () => {
    const instance = await instanceWith(shared, { url: services.database.url, http: { deadline: {} } });
    const hurried = { headers: { 'X-Api-Key': 'hurried', 'Request-Timeout': '0' } };
    expect(await statusesOf(6, `${instance.url}/orders`, hurried)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(instance.logger.lines('warn').map(({ message }) => message)).not.toContainEqual(
      expect.stringMatching('requests are counted in this process'),
    );
    const { rows } = await services.witness.query('select count from keelson_rate_limits');
    expect(rows).toEqual([{ count: 5 }]);
  });
});

describe('a reload of the configuration', () => {
  const limitOf = (limit: number, more: object = {}) => ({ limit, windowMs: hour, ...more });

  test('changes limits; those that are as before go on counting', async () => {
    const rateLimits: Record<string, object> = { writes: limitOf(1, { methods: ['POST'] }), reads: limitOf(1) };
    const { url, kernel } = await instanceWith(rateLimits);
    const orders = `${url}/orders`;
    expect(await statusOf(orders, { method: 'POST' })).toBe(200);
    expect(await statusOf(orders)).toBe(429);

    rateLimits.reads = limitOf(3);
    const { changes } = await kernel.reload();
    expect(changes).toMatchObject([{ path: 'http.rateLimits.reads.limit', outcome: 'applied' }]);
    expect(await statusesOf(4, orders)).toEqual([200, 200, 200, 429]);
    expect(await statusOf(orders, { method: 'POST' }), 'the window of writes is used up').toBe(429);

    for (const name of Object.keys(rateLimits)) delete rateLimits[name];
    await kernel.reload();
    expect(await statusesOf(5, orders)).toEqual([200, 200, 200, 200, 200]);

    rateLimits.late = limitOf(1);
    await kernel.reload();
    expect(await statusesOf(2, orders)).toEqual([200, 429]);
  });

  test('keeps the limits when the new ones cannot count', async () => {
    const rateLimits: Record<string, object> = { api: limitOf(2) };
    const { url, kernel } = await instanceWith(rateLimits);
    rateLimits.api = limitOf(9, { by: 'customer' });
    const { changes } = await kernel.reload();
    expect(changes).toMatchObject([{ outcome: 'failed' }, { outcome: 'failed' }]);
    expect(await statusesOf(3, `${url}/orders`)).toEqual([200, 200, 429]);
  });
});

describe('limits that cannot work', () => {
  test('are refused at the start, all at once', async () => {
    const starting = instanceWith({
      one: { limit: 1, windowMs: 1_000, by: 'customer' },
      two: { limit: 1, windowMs: 1_000, store: 'database' },
    });
    await expect(starting).rejects.toThrow(
      /one counts by "customer", which is not one of ip.*two counts in the database/s,
    );
  });

  test.each([
    [{ methods: ['[POST]'] }, 'must be a method of HTTP'],
    [{ methods: [] }, 'methods'],
    [{ paths: ['orders'] }, 'must be a path such as /orders'],
    [{ paths: ['/orders/*'] }, 'must be a path such as /orders'],
    [{ by: 'header:' }, 'must be ip, header:<name>'],
    [{ windowMs: 1_500 }, 'must be whole seconds'],
    [{ limit: 0 }, 'limit'],
    [{ max: 5 }, 'max'],
  ])('%j is refused before the start: it would limit nothing, or something else', async (wrong, message) => {
    await expect(instanceWith({ api: { limit: 1, windowMs: 1_000, ...wrong } })).rejects.toThrow(message);
  });

  test('by ip are a problem of the plan where every client may choose its address', async () => {
    const starting = instanceWith({ api: { limit: 1, windowMs: 1_000 } }, { http: { trustProxy: true } });
    await expect(starting).rejects.toThrow(/api cannot count by ip while trustProxy is true/);
  });

  test('without the right to make the table, the start fails and says what to run', async () => {
    await services.witness.query(`drop role if exists limited_app; create role limited_app login password 'limited'`);
    const url = new URL(services.database.url);
    url.username = 'limited_app';
    url.password = 'limited';
    const shared = { api: { limit: 1, windowMs: 1_000, store: 'database' } };
    await expect(instanceWith(shared, { url: url.href })).rejects.toThrow(/HTTP_RATE_LIMIT_TABLE|could not create it/);
    await services.witness.query('drop role limited_app');
  });
});
