import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '@keelson/test-support/database';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { queryOnce } from '@keelson/test-support/query-once';
import { runKeelson } from '@keelson/test-support/run-keelson';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import { startTcpProxy } from '@keelson/test-support/tcp-proxy';
import { startBackend, type TelemetryBackend } from '@keelson/test-support/telemetry-backend';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Texts that stand nowhere else, by what they are; as short as a quoted beginning of a text may be. */
class Marks {
  readonly #marks = new Map<string, string>();

  of(what: string): string {
    const known = this.#marks.get(what) ?? `Mk${randomBytes(3).toString('hex')}`;
    this.#marks.set(what, known);
    return known;
  }

  /** Which of them are in the text, each with the words around it. */
  in(text: string): string[] {
    return [...this.#marks].flatMap(([what, mark]) => {
      const at = text.indexOf(mark);
      return at < 0 ? [] : [`${what}: ${text.slice(Math.max(0, at - 150), at + 60)}`];
    });
  }
}

/**
 * Not looked at, because the value belongs there: the answers to the client who sent it, what the service sends to its
 * partner and stores in its database, and what a client chose as the id of its request or as its `tracestate`, which are
 * made to be passed on.
 */
describe.each([
  ['@keelson/logger-bunyan', 'telemetry-sentry'],
  ['@keelson/logger-pino', 'telemetry-otel'],
] as const)('a service with %s and %s', (logger, telemetry) => {
  const marks = new Marks();
  const statuses: Record<string, number> = {};
  const outputs: Record<string, string> = {};
  const resources = new AsyncDisposableStack();
  let backend: TelemetryBackend;

  beforeAll(async () => {
    const partner = await startPartner(marks.of('answer of the partner'));
    resources.use(partner);
    backend = resources.use(await startBackend(telemetry));
    const database = await createTestDatabase();
    const role = `secrets_${randomBytes(4).toString('hex')}`;
    const server = new URL('/postgres', database.adminUrl).href;
    resources.defer(async () => void (await queryOnce(server, `drop role if exists ${role}`)));
    resources.use(database);
    const proxy = resources.use(await startTcpProxy({ to: database.url }));
    const password = marks.of('password of the database');
    await queryOnce(database.adminUrl, `create role ${role} login password '${password}'`);
    await queryOnce(database.adminUrl, `alter database ${database.name} owner to ${role}`);
    const url = new URL(proxy.url());
    [url.username, url.password] = [role, password];
    const consoleToken = `${marks.of('token of the console')}-${randomBytes(8).toString('hex')}`;
    const [adminPort, closedPort] = [await freePort(), await freePort()];
    const directory = mkdtempSync(join(tmpdir(), 'keelson-secrets-'));
    resources.defer(() => rmSync(directory, { recursive: true, force: true }));
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    const config = {
      service: 'secrets',
      plugins: {
        logger: { use: logger, level: 'trace' },
        telemetry: { use: `@keelson/${telemetry}`, ...receiverOf(backend, marks) },
        metrics: { use: '@keelson/metrics-prometheus' },
        database: {
          use: '@keelson/database-postgresql',
          url: `\${DATABASE_URL}`,
          migrations: { atStart: true },
          commitProof: 'none',
          session: { timeoutMs: 800 },
          slowStatements: { thresholdMs: 50 },
          repeatedStatements: { moreThan: 2 },
        },
        retry: { use: '@keelson/retry-opossum', policies: { default: { maxAttempts: 3 } } },
        health: { use: '@keelson/health', details: 'facts' },
        http: { use: '@keelson/http-express', port: 0, host: '127.0.0.1', admin: { port: adminPort } },
        console: { use: '@keelson/console', token: consoleToken, requests: { perSecond: 1_000, kept: 1_000 } },
        'http-client': { use: '@keelson/http-client', targets: { prices: { baseUrl: partner.url } } },
        orders: { use: join(root, 'examples/orders/dist/orders.plugin.js'), welcome: true },
        quoting: {
          use: join(root, 'test/secrets/quoting.plugin.ts'),
          apiKey: marks.of('key of the partner'),
          partner: partner.url,
          closed: `http://127.0.0.1:${closedPort}`,
        },
      },
      shutdown: { noticeMs: 0 },
    };
    writeFileSync(join(directory, 'keelson.yaml'), JSON.stringify(config));
    const variables = { DATABASE_URL: url.href };
    const service = resources.use(await startService({ directory, variables }));
    const client = new Client(service, marks, statuses);

    await client.useOrders();
    await client.provoke();
    await client.sendNonsense();

    const broken = proxy.onceAt(/insert into "orders"/i, 'before');
    await client.order('an order that is repeated', client.sku);
    await broken;
    const lost = proxy.onceAtCommit('before');
    await client.order('an order of unknown outcome', client.sku);
    await lost;
    await proxy.setMode('reset');
    await Promise.all(['first', 'second', 'third'].map(which => client.order(`the ${which} in the cut`, client.sku)));
    await proxy.setMode('pass');
    await eventually(async () => (await client.send('after the cut', 'GET', `/products/${client.sku}`)) === 200, {
      timeoutMs: 10_000,
    });

    const read = async (url: string, accept = '*/*') => {
      outputs[`GET ${url} ${accept}`] = await (await fetch(url, { headers: { accept } })).text();
    };
    for (const at of [service.url, `http://127.0.0.1:${adminPort}`]) {
      await Promise.all(['/readyz', '/livez', '/startupz', '/openapi.json'].map(path => read(at + path)));
    }
    await read(`http://127.0.0.1:${adminPort}/metrics`, 'text/plain');
    await read(`http://127.0.0.1:${adminPort}/metrics`, 'application/openmetrics-text;version=1.0.0');
    const authorization = `Bearer ${consoleToken}`;
    for (const path of ['', '/api/live', '/api/history', '/api/requests', '/api/plan', '/api/instances']) {
      const at = `http://127.0.0.1:${adminPort}/console${path}`;
      outputs[`the console ${path}`] = await (await fetch(at, { headers: { authorization } })).text();
      const refused = await fetch(`${at}?token=${consoleToken}`, { headers: { cookie: 'keelson-console=1' } });
      outputs[`the console ${path} without a token`] = await refused.text();
    }
    const operated = await fetch(`http://127.0.0.1:${adminPort}/console/api/operations`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', 'x-keelson-console': '1' },
      body: JSON.stringify({ plugin: 'database', operation: 'statements', named: {} }),
    });
    outputs['an operation on the console'] = await operated.text();
    const impatient = {
      KEELSON_DATABASE__CONNECT__TIMEOUT_MS: '200',
      KEELSON_HTTP__ADMIN__PORT: String(await freePort()),
    };
    const run = async (words: string, more: Record<string, string> = {}) => {
      const { stdout, stderr } = await runKeelson(words.split(' '), {
        directory,
        variables: { ...variables, ...more },
      });
      outputs[`keelson ${words} ${Object.keys(more)}`] = stdout + stderr;
    };
    const invalid = {
      KEELSON_DATABASE__URL: marks.of('invalid url of a database'),
      KEELSON_DATABASE__PASWORD: marks.of('misspelled password'),
    };
    await Promise.all([run('status'), run('do database statements'), run('explain')]);
    // What they print does not depend on the plugins that differ.
    if (telemetry === 'telemetry-sentry') {
      await proxy.setMode('refuse');
      await Promise.all([
        run('status --json'),
        run('check', invalid),
        run('doctor', impatient),
        run('start', impatient),
      ]);
    }

    await service.stop();
    outputs['standard output'] = service.stdout;
    outputs['standard error'] = `${service.stderr}.`;
    // The name of the receiver's own project: in the envelopes to it, and in no other place.
    outputs.telemetry = backend.wire.replaceAll(`"public_key":"${marks.of('key of the receiver')}"`, '');
  }, 60_000);

  afterAll(() => resources.disposeAsync());

  test('meets failures of all kinds', () => {
    expect(Object.fromEntries(Object.entries(statuses).filter(([what]) => what in expected))).toEqual(expected);
    const lines = outputs['standard output'] ?? '';
    const said = [
      'HTTP_UNEXPECTED',
      'HTTP_BODY_TOO_LARGE',
      'HTTP_INPUT_INVALID',
      'DATABASE_AMBIGUOUS_COMMIT',
      'slow statement',
      'a statement repeats',
      'price not available',
      'retrying a session',
      'a step failed',
    ];
    expect(said.filter(words => !lines.includes(words))).toEqual([]);
    expect(backend.spans.length).toBeGreaterThan(50);
    expect(backend.errors.length).toBeGreaterThan(10);
    expect(Object.entries(outputs).filter(([, text]) => text === '')).toEqual([]);
    const printed = Object.values(outputs).join('\n');
    // Only of the first service.
    const once = telemetry === 'telemetry-sentry' ? ['CONFIG_VALUE_INVALID', 'DATABASE_CONNECT_FAILED'] : [];
    const seen = [...once, 'no answer of', 'pg_sleep', 'http_server_request_duration_seconds_bucket', '# EOF'];
    const onConsole = [
      '"historyRevision"',
      '"operation":"db.query"',
      '"operation":"partner"',
      'CONSOLE_TOKEN_REQUIRED',
    ];
    expect([...seen, ...onConsole].filter(words => !printed.includes(words))).toEqual([]);
  });

  test('shows none of the marked values anywhere', () => {
    const leaks = Object.entries(outputs).map(([where, text]) => [where, marks.in(text)] as const);
    expect(leaks.filter(([, found]) => found.length > 0)).toEqual([]);
  });
});

const expected = {
  'a new product': 201,
  'the same product': 409,
  'a product with its price': 200,
  'an order': 201,
  'a wrong order': 422,
  'a large order': 413,
  'half an order': 400,
  'an order in Latin-1': 400,
  'a path that is not there': 404,
  'a customer': 500,
  'a thrown text': 500,
  'a tenant': 500,
  'a payment': 500,
  'many statements': 200,
  'a span': 200,
  'a unique value': 500,
  'an order that is repeated': 201,
  'an order of unknown outcome': 503,
  'the first in the cut': 503,
};

/** One that puts a marked value wherever it can. */
class Client {
  readonly sku: string;
  readonly #service: ServiceProcess;
  readonly #marks: Marks;
  readonly #statuses: Record<string, number>;

  constructor(service: ServiceProcess, marks: Marks, statuses: Record<string, number>) {
    this.#service = service;
    this.#marks = marks;
    this.#statuses = statuses;
    this.sku = marks.of('sku');
  }

  async send(what: string, method: string, path: string, body?: unknown): Promise<number> {
    const of = (part: string) => this.#marks.of(`${part} of ${what}`);
    const traceId = randomBytes(16).toString('hex');
    const spanId = randomBytes(8).toString('hex');
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${of('authorization')}`,
      cookie: `sid=${of('cookie')}; theme=dark`,
      'x-custom': of('header'),
      'x-tenant': of('tenant'),
      'user-agent': of('agent'),
      'idempotency-key': of('idempotency key'),
      origin: `http://${of('origin')}.example`,
      referer: `http://127.0.0.1/${of('referer')}`,
      'x-forwarded-for': of('forwarded address'),
      traceparent: `00-${traceId}-${spanId}-01`,
      'sentry-trace': `${traceId}-${spanId}-1`,
      baggage: `user=${of('baggage')},sentry-transaction=${of('transaction')},sentry-user_segment=${of('segment')},sentry-sampled=true`,
    };
    const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const separator = path.includes('?') ? '&' : '?';
    const response = await fetch(`${this.#service.url}${path}${separator}email=${of('query')}`, {
      method,
      headers,
      ...(text !== undefined && { body: text }),
    });
    await response.text();
    this.#statuses[what] = response.status;
    return response.status;
  }

  order(what: string, sku: string): Promise<number> {
    return this.send(what, 'POST', '/orders', { sku, quantity: 1 });
  }

  async useOrders(): Promise<void> {
    await this.send('a new product', 'POST', '/products', { sku: this.sku, stock: 100 });
    await this.send('the same product', 'POST', '/products', { sku: this.sku, stock: 100 });
    await this.send('a product with its price', 'GET', `/products/${this.sku}`);
    await this.order('an order', this.sku);
    const of = (part: string) => this.#marks.of(`${part} of a wrong order`);
    await this.send('a wrong order', 'POST', '/orders', { lines: of('lines'), [of('name')]: of('field') });
    await this.send('a large order', 'POST', '/orders', { sku: of('body').repeat(100_000) });
    await this.send('half an order', 'POST', '/orders', `${of('half')} {"sku":`);
    await this.send('an order in Latin-1', 'POST', '/orders', Buffer.from(`{"sku":"${of('bytes')}\xe9"}`, 'latin1'));
    await this.send('a path that is not there', 'GET', `/${of('path')}/7`);
    await this.send('a path with half a character', 'GET', `/products/${of('bad path')}%e9`);
  }

  async provoke(): Promise<void> {
    const of = (what: string) => this.#marks.of(what);
    await this.send('a customer', 'GET', `/quoting/customers/${of('customer')}%40example.org`);
    await this.send('a thrown text', 'GET', `/quoting/texts/${of('thrown text')}`);
    await this.send('a tenant', 'GET', `/quoting/tenants/${of('name of a tenant')}`);
    const payment = { card: of('card'), amount: 7, lines: [{ note: of('note') }] };
    await this.send('a payment', 'POST', '/quoting/payments', payment);
    await this.send('many statements', 'GET', `/quoting/statements/${of('statement')}`);
    await this.send('a span', 'POST', '/quoting/spans', { ...payment, card: of('card of a span') });
    const failures = [
      'the answer of the partner',
      'a header with a line break',
      'nothing listens',
      'no url',
      'a url with a user',
      'a value of a wrong type',
      'a value in the text',
      'a unique value',
    ];
    for (const what of failures) {
      await this.send(what, 'GET', `/failures/${encodeURIComponent(what)}?secret=${of(what)}`);
    }
  }

  /** Bytes that are no request. */
  async sendNonsense(): Promise<void> {
    const mark = this.#marks.of('bytes that are no request');
    const requests = [
      `${mark} / HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET /${mark} HTTP/9.9\r\n\r\n`,
      `GET / HTTP/1.1\r\n${mark}\r\n\r\n`,
      `GET / HTTP/1.1\r\nhost: x\r\nx-long: ${mark.repeat(10_000)}\r\n\r\n`,
    ];
    for (const request of requests) {
      const socket = connect(Number(new URL(this.#service.url).port), '127.0.0.1');
      socket.on('error', () => {});
      socket.resume().end(request);
      await once(socket, 'close');
    }
  }
}

/** Another service, which answers with what is no JSON. */
async function startPartner(answer: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer((request, response) => void request.resume().once('end', () => response.end(answer)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
    },
  };
}

/** The options that send to `backend`, with a marked key. */
function receiverOf({ variables }: TelemetryBackend, marks: Marks): object {
  const { KEELSON_TELEMETRY__DSN: dsn, KEELSON_TELEMETRY__ENDPOINT: endpoint } = variables;
  const key = marks.of('key of the receiver');
  if (dsn !== undefined) return { dsn: dsn.replace('public', key), tracesSampleRate: 1 };
  return { endpoint, headers: { authorization: `Bearer ${key}` } };
}
