import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { SentryIngest } from '@keelson/test-support/sentry-ingest';
import { describe, expect, inject, test } from 'vitest';

/** A service of one express router on a real database, in a process of its own. */
const service = `
  import { definePlugin, Kernel, Logger, runWithContext, Telemetry } from '@keelson/core';
  import { RecordingLogger } from '@keelson/core/testing';
  const { DSN, DATABASE, OPTIONS } = process.env;
  const log = new RecordingLogger();
  const logger = definePlugin({ name: 'recording-logger', slot: 'logger', provides: [Logger],
    register: ({ bind }) => void bind(Logger).toConstantValue(log) });
  const start = () => Kernel.start({
    config: { service: 'orders', plugins: {
      logger: { use: './none.js' },
      telemetry: { use: '@keelson/telemetry-sentry', dsn: DSN, instrumentModules: true, ...JSON.parse(OPTIONS) },
    } },
    plugins: { logger },
  });
  const stop = async kernel => {
    const report = await kernel.stop();
    process.send?.({ warnings: log.lines('warn'), report: report.outcome });
    process.exit(0);
  };
`;

const web = `${service}
  const kernel = await start();
  const telemetry = kernel.container.get(Telemetry);
  const { default: express } = await import('express');
  const { default: pg } = await import('pg');
  const database = new pg.Pool({ connectionString: DATABASE });
  const app = express();
  app.use(express.json());
  app.use((request, _response, next) => runWithContext({ requestId: request.get('x-request-id') }, next));
  app.get('/livez', (_request, response) => response.send('alive'));
  app.post('/orders/:id', async (request, response) => {
    await telemetry.span({ name: 'orders.work', operation: 'orders' }, async span => {
      span.setAttribute('orders.count', 1);
      await database.query('select $1::text as name', ['hush-parameter']);
      if (request.params.id === '13') throw new Error('no such luck');
    });
    response.send('fine');
  });
  app.use((error, _request, response, _next) => {
    telemetry.captureError(error, { operation: 'http.request' });
    telemetry.captureError(error, { operation: 'again' });
    response.status(500).send('failed');
  });
  const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
  process.once('message', async () => {
    await database.end();
    server.closeAllConnections();
    await stop(kernel);
  });
`;

function run(script: string, dsn: string, options: object = {}): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, DSN: dsn, DATABASE: inject('databaseServer').url, OPTIONS: JSON.stringify(options) },
  });
}

async function message(child: ChildProcess): Promise<Record<string, unknown>> {
  const [value] = await once(child, 'message');
  return value;
}

function order(port: unknown, id: number): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/orders/${id}?email=hush-query`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-request-id': `request-${id}`,
      cookie: 'session=hush-cookie',
      authorization: 'Bearer hush-header',
      'user-agent': 'hush-agent',
    },
    body: JSON.stringify({ name: 'hush-body' }),
  });
}

test('a service started by the kernel: one span per operation, one event per error, nothing private, all before exit', async () => {
  await using ingest = await SentryIngest.start();
  const child = run(web, ingest.dsn);
  const { port } = await message(child);
  await fetch(`http://127.0.0.1:${port}/livez`);
  const answers = await Promise.all([order(port, 1), order(port, 13), order(port, 2)]);
  expect(answers.map(answer => answer.status)).toEqual([200, 500, 200]);
  const exit = once(child, 'exit');
  child.send('stop');
  const { warnings } = await message(child);
  expect((await exit)[0]).toBe(0);
  expect(warnings).toEqual([]);

  const requests = ingest.spans.filter(span => span.attributes['sentry.op']?.value === 'http.server');
  expect(requests.map(span => span.name)).toEqual(Array.from({ length: 3 }, () => 'POST /orders/:id'));
  expect(new Set(requests.map(span => span.trace_id)).size).toBe(3);
  const works = ingest.spans.filter(span => span.name === 'orders.work');
  expect(works.map(span => span.status).sort()).toEqual(['error', 'ok', 'ok']);
  expect(works[0]?.attributes['orders.count']?.value).toBe(1);
  const queries = ingest.spans.filter(span => span.attributes['db.system.name']?.value === 'postgresql');
  expect(queries.map(span => works.find(work => work.span_id === span.parent_span_id)?.name)).toEqual(
    Array.from({ length: 3 }, () => 'orders.work'),
  );

  const [event, ...others] = ingest.events.map(item => item.payload);
  expect(others).toEqual([]);
  expect(event).toMatchObject({
    tags: { operation: 'http.request', requestId: 'request-13' },
    exception: { values: [{ type: 'Error', value: 'no such luck' }] },
    contexts: { trace: { trace_id: works.find(span => span.status === 'error')?.trace_id } },
  });
  expect(ingest.wire).not.toContain('hush');
  expect(ingest.wire).not.toContain('select $1');
});

test('flush before exit: what was reported just before the stop has arrived when the process is gone', async () => {
  await using ingest = await SentryIngest.start();
  const script = `${service}
    const kernel = await start();
    const telemetry = kernel.container.get(Telemetry);
    await telemetry.span({ name: 'last.work', operation: 'job' }, async () => {
      telemetry.captureError(new Error('at the last moment'));
    });
    await stop(kernel);
  `;
  const child = run(script, ingest.dsn, { instrumentModules: false });
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(ingest.events.map(item => item.payload.exception?.values[0]?.value)).toEqual(['at the last moment']);
  expect(ingest.spans.map(span => span.name)).toEqual(['last.work']);
});

test.each([
  ['the one the service was started in', {}, 'staging'],
  ['the one of the options, when there is one', { environment: 'canary' }, 'canary'],
])('events belong to an environment: %s', async (_which, options, environment) => {
  await using ingest = await SentryIngest.start();
  const script = `${service}
    process.env.KEELSON_ENV = 'staging';
    const kernel = await start();
    kernel.container.get(Telemetry).captureError(new Error('somewhere'));
    await stop(kernel);
  `;
  const child = run(script, ingest.dsn, { instrumentModules: false, ...options });
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(ingest.events.map(item => item.payload.environment)).toEqual([environment]);
});

test('an ingest that is down: the service stops in its time, and says that not all was sent', async () => {
  const gone = await SentryIngest.start();
  const { dsn } = gone;
  await gone[Symbol.asyncDispose]();
  const script = `${service}
    const kernel = await start();
    kernel.container.get(Telemetry).captureError(new Error('unheard'));
    await stop(kernel);
  `;
  const child = run(script, dsn, { instrumentModules: false });
  const { warnings } = await message(child);
  expect(warnings).toMatchObject([
    {
      message: 'not everything could be sent to Sentry',
      facts: { lostEnvelopes: expect.toSatisfy(count => count > 0) },
    },
  ]);
});

test('modules loaded before their hooks: the start says whose spans will be missing', async () => {
  await using ingest = await SentryIngest.start();
  const script = `${service}
    await import('express');
    await stop(await start());
  `;
  const child = run(script, ingest.dsn);
  const { warnings } = await message(child);
  expect(warnings).toMatchObject([{ facts: { modules: ['express', 'router'] } }]);
});

test('enabled: false hooks nothing, keeps nothing and sends nothing', async () => {
  await using ingest = await SentryIngest.start();
  const script = `${service}
    const kernel = await start();
    kernel.container.get(Telemetry).captureError(new Error('unheard'));
    if (globalThis.__SENTRY_ORCHESTRION__ !== undefined) throw new Error('hooked');
    await stop(kernel);
  `;
  const child = run(script, ingest.dsn, { enabled: false });
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(ingest.items).toEqual([]);
});

describe('keelson doctor', () => {
  const diagnosed = `
    const [found] = (await kernel.diagnose()).values();
    process.send(found);
    await stop(kernel);
  `;

  test('modules loaded before their hooks are named', async () => {
    await using ingest = await SentryIngest.start();
    const child = run(`${service} await import('express'); const kernel = await start(); ${diagnosed}`, ingest.dsn);
    expect(await message(child)).toMatchObject([
      { name: 'sending', status: 'pass' },
      { name: 'hooks', status: 'warn', output: expect.stringContaining('express, router') },
    ]);
  });

  test('modules loaded after their hooks are as they should be', async () => {
    await using ingest = await SentryIngest.start();
    const later = `const kernel = await start(); await import('express'); await import('pg');`;
    const child = run(`${service} ${later} ${diagnosed}`, ingest.dsn);
    expect(await message(child)).toMatchObject([{ name: 'sending' }, { name: 'hooks', status: 'pass' }]);
  });

  test('modules that lost their hooks on the way are named', async () => {
    await using ingest = await SentryIngest.start();
    const lost = `await import('pg'); globalThis.__SENTRY_ORCHESTRION__.runtime.length = 0;`;
    const child = run(`${service} const kernel = await start(); ${lost} ${diagnosed}`, ingest.dsn);
    expect(await message(child)).toMatchObject([
      {},
      { status: 'warn', output: expect.stringContaining('pg, pg-pool') },
    ]);
  });

  test('telemetry that is switched off is fine', async () => {
    await using ingest = await SentryIngest.start();
    const child = run(`${service} const kernel = await start(); ${diagnosed}`, ingest.dsn, { enabled: false });
    expect(await message(child)).toMatchObject([{ status: 'pass', output: expect.stringContaining('Switched off') }]);
  });
});
