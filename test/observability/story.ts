import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { guard, release } from '@keelson/test-support/guardian';
import { OtlpReceiver, type OtlpSpan } from '@keelson/test-support/otlp-receiver';
import { type PostgresServer, startPostgres } from '@keelson/test-support/postgres-server';
import { type RunOptions, runKeelson } from '@keelson/test-support/run-keelson';
import { SentryIngest, type WireSpan } from '@keelson/test-support/sentry-ingest';
import { type ServiceProcess, startService } from '@keelson/test-support/service-process';
import pg from 'pg';
import { spanTree } from './span-tree.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The configuration of the service, as the page shows it. */
export const configuration = `service: orders
plugins:
  logger: { use: "@keelson/logger-pino" }
  telemetry: { use: "@keelson/telemetry-otel", endpoint: "\${OTLP_ENDPOINT}" }
  metrics: { use: "@keelson/metrics-prometheus" }
  database: { use: "@keelson/database-postgresql", url: "\${DATABASE_URL}", migrations: { atStart: true } }
  retry: { use: "@keelson/retry-opossum" }
  health: { use: "@keelson/health", checks: { database: { intervalMs: 1s } } }
  http: { use: "@keelson/http-express", port: "\${PORT}", admin: { port: "\${ADMIN_PORT}", host: 127.0.0.1 } }
  console: { use: "@keelson/console", requests: { perSecond: 1000 } }
  orders: { use: "./dist/orders.plugin.js" }
`;

/** The line that differs in the second instance. */
const withSentry = `plugins:
  telemetry: { use: "@keelson/telemetry-sentry", dsn: "\${SENTRY_DSN}" }
shutdown: { noticeMs: 0 }
`;

/** What each place shows of one request, by the name of its block on the page. */
export interface Observed {
  readonly configuration: string;
  readonly request: string;
  readonly lines: string;
  readonly trace: string;
  readonly span: string;
  readonly envelope: string;
  readonly metrics: string;
  readonly health: string;
  readonly status: string;
  readonly healed: string;
  readonly console: string;
}

export interface Story {
  readonly observed: Observed;
  readonly requestId: string;
  readonly traceId: string;
  /** Of the session that was stored. */
  readonly sessionId: string;
  /** All that the instances have printed and sent, of which the blocks show parts. */
  readonly everything: string;
}

/** How long the request waits for its lock before the server stops. */
const beforeMs = 300;
const readers = 4;
const patiently = { timeoutMs: 20_000 };

/**
 * Starts two instances of orders on one PostgreSQL, and sends the same request to both. While it runs, and others read,
 * PostgreSQL restarts.
 */
export async function observeOneRequest(): Promise<Story> {
  await using started = new AsyncDisposableStack();
  const directory = serviceFolder(started);
  const [server, receiver, ingest] = await Promise.all([startPostgres(), OtlpReceiver.start(), SentryIngest.start()]);
  for (const each of [server, receiver, ingest]) started.use(each);
  const adminPort = await freePort();
  const variables = {
    DATABASE_URL: await server.createDatabase('orders'),
    OTLP_ENDPOINT: receiver.url,
    SENTRY_DSN: ingest.dsn,
    ADMIN_PORT: String(adminPort),
    // The page is about a restart, and a busy machine may need long for it.
    KEELSON_DATABASE__SESSION__TIMEOUT_MS: '30000',
    KEELSON_ORDERS__WELCOME: 'true',
  };
  const start = async (more: Readonly<Record<string, string>> = {}) =>
    started.use(await startService({ directory, variables: { ...variables, ...more } }));
  const [service, twin] = await Promise.all([start(), start({ ADMIN_PORT: '0', KEELSON_ENV: 'sentry' })]);
  const admin = `http://127.0.0.1:${adminPort}`;
  await service.request('POST', '/products', { sku: 'mug', stock: 100 });
  const load = started.use(Readers.start(service.url));
  await load.answered(20);

  const lock = await lockMug(variables.DATABASE_URL);
  const sent = new SentRequest();
  const answers = Promise.all([sent.to(service), sent.to(twin)]);
  await eventually(async () => (await waitingForLocks(server)) === 2, patiently);
  await sleep(beforeMs);

  await server.stop('fast');
  const health = await eventually(() => healthOf(admin, 503), patiently);
  const status = await eventually(() => statusOf({ directory, variables }), patiently);
  await server.start();
  const [answer] = await answers;
  await load.answered(20);
  const healed = await eventually(() => healthOf(admin, 200), patiently);
  const exposition = await scrape(admin);
  const kept = await eventually(() => keptRequest(admin, answer.requestId), patiently);
  await load[Symbol.asyncDispose]();
  await lock.end().catch(() => {});
  await Promise.all([service.stop(), twin.stop()]);

  const { traceId } = sent;
  const spans = receiver.spans.filter(span => span.traceId === traceId);
  const lines = linesOf(service, answer.requestId);
  return {
    observed: {
      configuration: configuration.trimEnd(),
      request: exchangeOf(sent, answer),
      lines,
      trace: spanTree(spans),
      span: shownSpan(failed(spans.find(({ name, status }) => name === 'db.attempt' && status === 2))),
      envelope: shownEnvelope(failed(ingest.spans.find(span => span.trace_id === traceId && isFailedAttempt(span)))),
      metrics: seriesOf(exposition, traceId),
      health: health.shown,
      status: status.shown,
      healed: healed.shown,
      console: kept.shown,
    },
    requestId: answer.requestId,
    traceId,
    sessionId: lines.match(/(?<="sessionId":")[^"]+/g)?.at(-1) ?? '',
    everything: [
      service.stdout,
      twin.stdout,
      receiver.text,
      ingest.wire,
      exposition,
      health.all,
      healed.all,
      status.all,
      kept.all,
    ].join('\n'),
  };
}

function serviceFolder(started: AsyncDisposableStack): string {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-observed-'));
  guard(directory);
  started.defer(() => {
    rmSync(directory, { recursive: true, force: true });
    release(directory);
  });
  writeFileSync(join(directory, 'keelson.yaml'), configuration);
  writeFileSync(join(directory, 'keelson.sentry.yaml'), withSentry);
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  symlinkSync(join(root, 'examples/orders/dist'), join(directory, 'dist'));
  return directory;
}

/** The server ends its connection when it stops. */
async function lockMug(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  await client.query("begin; select from products where sku = 'mug' for update");
  return client;
}

async function waitingForLocks(server: PostgresServer): Promise<number | undefined> {
  const waiting = "select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock'";
  const [row] = await server.query<{ count: number }>(waiting);
  return row?.count;
}

interface Seen {
  readonly shown: string;
  readonly all: string;
}

interface Answered {
  readonly status: number;
  readonly requestId: string;
  readonly durationMs: number;
}

/** The same request for both instances: its ids are those of its client. */
class SentRequest {
  readonly traceId = randomBytes(16).toString('hex');
  readonly traceparent = `00-${this.traceId}-${randomBytes(8).toString('hex')}-01`;

  async to({ url }: ServiceProcess): Promise<Answered> {
    const startedAt = performance.now();
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: this.traceparent },
      body: JSON.stringify({ sku: 'mug', quantity: 2 }),
    });
    await response.text();
    const requestId = response.headers.get('x-request-id') ?? '';
    return { status: response.status, requestId, durationMs: performance.now() - startedAt };
  }
}

/** Clients that read without end. */
class Readers implements AsyncDisposable {
  readonly #clients: Promise<void>[];
  #answers = 0;
  #ended = false;

  private constructor(url: string) {
    this.#clients = Array.from({ length: readers }, () => this.#read(url));
  }

  static start(url: string): Readers {
    return new Readers(url);
  }

  async answered(more: number): Promise<void> {
    const enough = this.#answers + more;
    await eventually(() => this.#answers >= enough, { timeoutMs: 15_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#clients);
  }

  async #read(url: string): Promise<void> {
    while (!this.#ended) {
      const { ok } = await fetch(`${url}/products/mug`);
      if (ok) this.#answers++;
      await sleep(5);
    }
  }
}

function exchangeOf({ traceparent }: SentRequest, { status, requestId, durationMs }: Answered): string {
  return `POST /orders {"sku":"mug","quantity":2}
traceparent: ${traceparent}

${status} after ${Math.round(durationMs)} ms
x-request-id: ${requestId}`;
}

/** The lines of the request, and those of the database meanwhile, without what is the same in every line. */
function linesOf(service: ServiceProcess, requestId: string): string {
  return service.stdout
    .split('\n')
    .filter(
      line =>
        line.includes(requestId) ||
        /"before":"(connected|error)","msg":"database connected"|"msg":"database lost"/.test(line),
    )
    .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
    .map(({ hostname: _host, pid: _pid, name: _name, ...fields }) => JSON.stringify(fields))
    .join('\n');
}

const isFailedAttempt = ({ name, status }: WireSpan) => name === 'db.attempt' && status === 'error';

function failed<T>(attempt: T | undefined): T {
  if (attempt === undefined) throw new Error('No attempt of the request has failed.');
  return attempt;
}

function shownSpan({ name, traceId, spanId, parentSpanId, status, attributes }: OtlpSpan): string {
  return JSON.stringify({ name, traceId, spanId, parentSpanId, status, attributes }, null, 2);
}

/** As it is in the envelope, with the attributes that Sentry does not add by itself. */
function shownEnvelope({ attributes, ...span }: WireSpan): string {
  const { name, trace_id, span_id, parent_span_id, status } = span;
  const own = Object.entries(attributes).filter(([key]) => key === 'sentry.op' || !key.startsWith('sentry.'));
  const values = Object.fromEntries(own.map(([key, { value }]) => [key, value]));
  return JSON.stringify({ name, trace_id, span_id, parent_span_id, status, attributes: values }, null, 2);
}

async function scrape(admin: string): Promise<string> {
  const accept = 'application/openmetrics-text;version=1.0.0';
  return (await fetch(`${admin}/metrics`, { headers: { accept } })).text();
}

/** The series that have the request as their exemplar, and those of the outage. */
function seriesOf(exposition: string, traceId: string): string {
  const ofTheOutage =
    /^(resilience_(retries|retried_calls|circuit_breaker_moves)_total|db_client_connection_discards_total|db_client_state)\{/;
  return exposition
    .split('\n')
    .filter(line => line.includes(traceId) || (ofTheOutage.test(line) && !line.endsWith(' 0')))
    .join('\n');
}

interface Requests {
  readonly requests: readonly { readonly requestId?: string; readonly spans: readonly object[] }[];
}

interface HealthDocument {
  readonly checks: Readonly<Record<string, readonly { readonly status: string }[]>>;
}

/** The checks that pass are left out. False while the probe has another status. */
async function healthOf(admin: string, expected: number): Promise<Seen | false> {
  const response = await fetch(`${admin}/readyz`);
  const text = await response.text();
  if (response.status !== expected) return false;
  const document: HealthDocument = JSON.parse(text);
  const checks = Object.entries(document.checks).filter(([, entries]) =>
    entries.some(({ status }) => status !== 'pass'),
  );
  const body = JSON.stringify({ ...document, checks: Object.fromEntries(checks) }, null, 2);
  return { shown: `GET /readyz\n\n${response.status}\n${body}`, all: text };
}

/** Under **Recent requests**, one line for each span. False until it is there. */
async function keptRequest(admin: string, requestId: string): Promise<Seen | false> {
  const path = '/console/api/requests';
  const all = await (await fetch(`${admin}${path}`)).text();
  const { requests }: Requests = JSON.parse(all);
  const kept = requests.find(request => request.requestId === requestId);
  if (kept === undefined) return false;
  const { spans, ...facts } = kept;
  const head = JSON.stringify(facts, null, 2).slice(0, -2);
  const list = spans.map(span => `    ${JSON.stringify(span)}`).join(',\n');
  return { shown: `${head},\n  "spans": [\n${list}\n  ]\n}`, all: `GET ${path}\n${all}` };
}

/** The state of the instance and the parts of two plugins. False unless the breaker is open. */
async function statusOf(options: RunOptions): Promise<Seen | false> {
  const { stdout } = await runKeelson(['status'], options);
  if (!stdout.includes('breakLeftMs:')) return false;
  const [head = '', ...sections] = stdout.trimEnd().split(/\n(?= {2}[a-z-]+ {2}[@.])/);
  const shown = sections.filter(section => /^ {2}(retry|database) /.test(section));
  return { shown: ['$ keelson status', head, ...shown].join('\n'), all: stdout };
}
