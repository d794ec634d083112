import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createTestDatabase, type TestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { queryOnce } from '@keelson/test-support/query-once';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { startTcpProxy, type TcpProxy } from '@keelson/test-support/tcp-proxy';
import { type SeenSpan, startBackend, type TelemetryBackend } from '@keelson/test-support/telemetry-backend';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** One request of a client that traces, too: its trace goes on in the service. */
class Caller {
  readonly traceId = randomBytes(16).toString('hex');
  readonly spanId = randomBytes(8).toString('hex');
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  get headers() {
    return {
      traceparent: `00-${this.traceId}-${this.spanId}-01`,
      'content-type': 'application/json',
      authorization: 'Bearer hush-header',
      cookie: 'session=hush-cookie',
      'user-agent': 'hush-agent',
    };
  }

  async send(method: string, path: string, body?: unknown): Promise<Response> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${this.#url}${path}?email=hush-query`, { method, headers: this.headers, ...sent });
    await response.text();
    return response;
  }
}

describe.each(['telemetry-sentry', 'telemetry-otel'] as const)('a real service with %s', name => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let backend: TelemetryBackend;
  let calleeBackend: TelemetryBackend;
  let service: ServiceProcess;
  const statuses: Record<string, number> = {};
  const callers: Record<string, Caller> = {};

  /** All requests first, then the stop, which sends what waits: nothing is sent for longer. */
  beforeAll(async () => {
    database = await createTestDatabase();
    proxy = await startTcpProxy({ to: database.url });
    [backend, calleeBackend] = await Promise.all([startBackend(name), startBackend(name)]);
    const common = { KEELSON_ENV: 'postgres', KEELSON_SHUTDOWN__NOTICE_MS: '0' };
    await using callee = await startService({
      variables: { ...common, ...calleeBackend.variables, DATABASE_URL: database.url },
    });
    service = await startService({
      variables: {
        ...common,
        ...backend.variables,
        DATABASE_URL: proxy.url(database.url),
        KEELSON_DATABASE__COMMIT_PROOF: 'none',
        KEELSON_DATABASE__SESSION__TIMEOUT_MS: '3000',
        KEELSON_HTTP_CLIENT__TARGETS__PRICES__BASE_URL: callee.url,
      },
    });
    const ask = async (what: string, method: string, path: string, body?: unknown) => {
      const caller = new Caller(service.url);
      callers[what] = caller;
      statuses[what] = (await caller.send(method, path, body)).status;
    };
    await ask('happy', 'POST', '/products', { sku: 'hush-sku', stock: 100 });
    await ask('taken', 'POST', '/products', { sku: 'hush-sku', stock: 100 });
    await ask('called', 'GET', '/products/hush-sku');
    await ask('wrong', 'POST', '/orders', { sku: 7, quantity: 'hush-body' });
    await ask('probe', 'GET', '/readyz');
    await ask('nowhere', 'GET', '/hush-path/7');

    const broken = proxy.onceAt(/insert into "orders"/i, 'before');
    await ask('retried', 'POST', '/orders', { sku: 'hush-sku', quantity: 1 });
    await broken;
    await ask('too low', 'POST', '/orders', { sku: 'hush-sku', quantity: 5_000 });

    const lost = proxy.onceAtCommit('before');
    await ask('unsure', 'POST', '/orders', { sku: 'hush-sku', quantity: 2 });
    await lost;

    await queryOnce(database.url, 'alter table products rename to products_away');
    await ask('no table', 'GET', '/products/hush-sku');
    await queryOnce(database.url, 'alter table products_away rename to products');

    await abort();

    await proxy.setMode('reset');
    for (let request = 0; request < 30 && !lastIsOpen(); request++) {
      await ask('down', 'POST', '/orders', { sku: 'hush-sku', quantity: 3 });
    }
    await proxy.setMode('pass');
    await service.stop();
    await callee.stop();
  }, 120_000);

  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await proxy?.dispose();
    await Promise.all([backend?.[Symbol.asyncDispose](), calleeBackend?.[Symbol.asyncDispose]()]);
    await database?.[Symbol.asyncDispose]();
  });

  /** A client that disconnects while its statement waits for a lock. */
  async function abort(): Promise<void> {
    const caller = new Caller(service.url);
    callers.gone = caller;
    const locking = new pg.Client({ connectionString: database.url });
    await locking.connect();
    await locking.query('begin; lock table orders in access exclusive mode');
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    await once(socket, 'connect');
    const headers = Object.entries({ host: 'x', ...caller.headers }).map(([key, value]) => `${key}: ${value}\r\n`);
    socket.write(`GET /orders HTTP/1.1\r\n${headers.join('')}\r\n`);
    const waits = 'select 1 from pg_locks where relation = $1::regclass and not granted';
    await eventually(async () => (await locking.query(waits, ['orders'])).rowCount === 1);
    socket.destroy();
    await eventually(() => service.stdout.includes('GET /orders 499'), { timeoutMs: 10_000 });
    await locking.end();
  }

  const lastIsOpen = () => statuses.down === 503 && service.stdout.includes('CIRCUIT_OPEN');

  /** The spans of one request in `where`, as names with their kinds, inside each other. */
  function treeOf(what: string, where = backend): unknown[] {
    const spans = where.spans.filter(span => span.traceId === callers[what]?.traceId);
    const inside = (parentId: string | undefined): unknown[] =>
      spans
        .filter(span => span.parentId === parentId)
        .map(span => [`${span.name} ${outcomeOf(span)}`, ...inside(span.spanId)]);
    return inside(callers[what]?.spanId);
  }

  const outcomeOf = ({ kind, status }: SeenSpan) => kind ?? (status === 'error' ? 'error' : 'fine');
  const spansOf = (what: string) => backend.spans.filter(span => span.traceId === callers[what]?.traceId);
  const errorsOf = (what: string) => backend.errors.filter(error => error.includes(callers[what]?.traceId ?? 'none'));

  test('the happy path: request, session, attempt, statements', () => {
    expect(statuses.happy).toBe(201);
    const [request] = treeOf('happy') as [[string, [string, [string, ...unknown[]]]]];
    expect(request[0]).toBe('POST /products fine');
    expect(request[1]?.[0]).toBe('db.session fine');
    expect(request[1]?.[1]?.slice(0, 1)).toEqual(['db.attempt fine']);
    expect(JSON.stringify(request)).toContain('INSERT products fine');
    expect(JSON.stringify(request)).toContain('COMMIT fine');
    const session = spansOf('happy').find(span => span.name === 'db.session');
    const attempt = spansOf('happy').find(span => span.name === 'db.attempt');
    const place = {
      'db.system.name': 'postgresql',
      'db.namespace': new URL(database.url).pathname.slice(1),
      'server.address': '127.0.0.1',
      'server.port': proxy.port,
    };
    const attributes = { 'db.service': 'DatabaseService', 'db.operation': 'http.post', 'db.retry_count': 0, ...place };
    expect(session).toMatchObject({ operation: 'db.session', attributes });
    expect(attempt).toMatchObject({ operation: 'db.attempt', attributes: { ...attributes, 'db.attempt': 1 } });
    expect(attempt?.attributes['db.duration_ms']).toBeGreaterThan(0);
  });

  test('a broken connection: one attempt that failed, one that is ok, and no error', () => {
    expect(statuses.retried).toBe(201);
    const text = JSON.stringify(treeOf('retried'));
    expect(text).toMatch(
      /POST \/orders fine.*db\.session fine.*db\.attempt DATABASE_CONNECTION_LOST.*db\.attempt fine/,
    );
    expect(errorsOf('retried')).toEqual([]);
  });

  test('a refusal is rolled back, and neither ok nor captured', () => {
    expect([statuses['too low'], statuses.taken]).toEqual([409, 409]);
    expect(JSON.stringify(treeOf('too low'))).toMatch(/POST \/orders fine.*db\.session ORDERS_STOCK_TOO_LOW/);
    expect(JSON.stringify(treeOf('taken'))).toMatch(/POST \/products fine.*db\.session DATABASE_QUERY_FAILED/);
    expect([...errorsOf('too low'), ...errorsOf('taken')]).toEqual([]);
  });

  test('a commit of unknown outcome is an error of that kind, reported once', () => {
    expect(statuses.unsure).toBe(503);
    expect(JSON.stringify(treeOf('unsure'))).toMatch(
      /POST \/orders DATABASE_AMBIGUOUS.*db\.session DATABASE_AMBIGUOUS/,
    );
    expect(errorsOf('unsure')).toHaveLength(1);
    expect(errorsOf('unsure')[0]).toContain('DATABASE_AMBIGUOUS_COMMIT');
    expect(errorsOf('unsure')[0]).toMatch(/attempts\\?":1/);
  });

  test('an error of the server: one report, with its SQLSTATE, the attempts, the pool and the breakers', () => {
    expect(statuses['no table']).toBe(500);
    const [error = '', ...others] = errorsOf('no table');
    expect(others).toEqual([]);
    expect(error).toMatch(/sqlState\\*":\\*"42P01/);
    expect(error).toMatch(/attempts\\*":1/);
    const parts = ['breakers', 'closed', 'pool', 'waiting'];
    expect(parts.filter(part => !error.includes(part))).toEqual([]);
  });

  test('an open breaker: the error comes with the state of breaker and pool, and with what happened before', () => {
    expect(statuses.down).toBe(503);
    const open = backend.errors.filter(error => error.includes('CIRCUIT_OPEN'));
    expect(open.length).toBeGreaterThan(0);
    const parts = ['breakers', 'pool', 'waiting', 'attempts', 'the breaker of', 'database.state'];
    expect(open.map(error => parts.filter(part => !error.includes(part)))).toEqual(open.map(() => []));
    // Those that came to a breaker that was open already were never tried: which error arrives first is chance.
    expect(backend.errors.filter(error => error.includes('a session is tried again'))).not.toEqual([]);
  });

  test('each error is reported once', () => {
    const ids = backend.errors.map(error => /"(?:keelson\.request\.id|requestId)":"([^"]+)"/.exec(error)?.[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('a client that has gone: the request says so, its session is ended, and nothing is captured', () => {
    const text = JSON.stringify(treeOf('gone'));
    expect(text).toContain('GET /orders HTTP_CLIENT_GONE');
    expect(text).toContain('db.session DATABASE_SESSION_ABORTED');
    expect(errorsOf('gone')).toEqual([]);
  });

  test('what the client did wrong is not captured', () => {
    expect(statuses.wrong).toBe(422);
    expect(statuses.nowhere).toBe(404);
    expect(treeOf('wrong')).toMatchObject([[expect.stringContaining('POST /orders')]]);
    expect(treeOf('nowhere')).toEqual([['GET fine']]);
    expect([...errorsOf('wrong'), ...errorsOf('nowhere')]).toEqual([]);
  });

  test('probes and pings leave no span', () => {
    expect(statuses.probe).toBe(200);
    expect(spansOf('probe')).toEqual([]);
    const roots = backend.spans.filter(span => !backend.spans.some(other => other.spanId === span.parentId));
    const known = Object.values(callers).map(({ traceId }) => traceId);
    const foreign = roots.filter(span => !known.includes(span.traceId) && span.operation === 'http.server');
    expect(foreign.map(span => span.attributes['http.route'])).not.toContain('/readyz');
    expect(backend.spans.filter(span => /readyz|livez/.test(JSON.stringify(span)))).toEqual([]);
  });

  test('the trace goes on in the service that is called', () => {
    expect(statuses.called).toBe(200);
    const call = spansOf('called').find(span => span.operation === 'http.client');
    expect(call).toMatchObject({ name: 'GET prices', attributes: { 'http.response.status_code': 404 } });
    const there = calleeBackend.spans.filter(span => span.traceId === callers.called?.traceId);
    expect(there).toMatchObject([{ name: 'GET', operation: 'http.server', parentId: call?.spanId }]);
  });

  test('no secret, no header, no query, no body and no value is sent', () => {
    expect(backend.spans.length).toBeGreaterThan(20);
    expect(backend.errors.length).toBeGreaterThan(1);
    for (const { wire } of [backend, calleeBackend]) {
      expect(wire.match(/.{0,80}hush.{0,80}/)).toBeNull();
      expect(wire.match(/insert into.{0,80}|select .{0,80} from/i)).toBeNull();
    }
  });
});
