import { type OpenSpan, silentTelemetry, type Telemetry } from '@keelson/core';
import { FakeClock, RecordingTelemetry, telemetryConformance } from '@keelson/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { Traffic } from './traffic.js';
import { watchTelemetry } from './watched-telemetry.js';

const options = { perSecond: 3, kept: 10, spans: 10 };
let clock: FakeClock;
let traffic: Traffic;
let ended: unknown[];

beforeEach(() => {
  clock = new FakeClock();
  ended = [];
  traffic = new Traffic(clock, options, request => ended.push(request));
});

function watched(inner: Telemetry): Telemetry {
  return watchTelemetry(inner, { clock, traffic, onBreadcrumb: () => {} });
}

const startRequest = (telemetry: Telemetry) =>
  telemetry.startSpan({ name: 'POST', operation: 'http.server', kind: 'server', continues: {} });

function endRequest(span: OpenSpan, status = 201): void {
  span.setName('POST /orders');
  span.setAttribute('http.response.status_code', status);
  span.setAttribute('keelson.request.id', 'r-1');
  if (status >= 500) span.setStatus('error', 'CIRCUIT_OPEN');
  else span.setStatus('ok');
  span.end();
}

/** A session of two attempts, as `database` traces it. */
async function runSession(telemetry: Telemetry): Promise<void> {
  const session = telemetry.startSpan({
    name: 'db.session',
    operation: 'db.session',
    attributes: { 'db.operation': 'http.post', 'db.query.text': "select 'Mk-secret'" },
  });
  for (const number of [1, 2]) {
    const attempt = telemetry.startSpan({
      name: 'db.attempt',
      operation: 'db.attempt',
      parent: session,
      attributes: { 'db.attempt': number },
    });
    const statement = telemetry.startSpan({
      name: 'INSERT orders',
      operation: 'db.query',
      kind: 'client',
      parent: attempt,
      attributes: { 'keelson.statement.shape': '0a1b2c3d' },
    });
    await clock.advance(5);
    if (number === 1) statement.setStatus('error', 'DATABASE_CONNECTION_LOST');
    else statement.setAttribute('db.response.returned_rows', 1);
    statement.end();
    attempt.end();
  }
  session.setStatus('ok');
  session.end();
}

test('of a text of any length, the start is in memory', () => {
  const telemetry = watched(silentTelemetry);
  const span = startRequest(telemetry);
  span.setAttribute('http.response.status_code', 503);
  span.setAttribute('keelson.problem.code', 'C'.repeat(10_000));
  span.setStatus('error', 'K'.repeat(10_000));
  span.end();
  expect(ended).toEqual([{ status: 503, code: `${'C'.repeat(119)}…`, failed: true }]);
  const other = startRequest(telemetry);
  other.setStatus('error', 'K'.repeat(10_000));
  other.end();
  expect(ended[1]).toEqual({ status: undefined, code: `${'K'.repeat(119)}…`, failed: true });
});

describe.each([
  ['silent telemetry', () => silentTelemetry],
  ['telemetry', () => new RecordingTelemetry(clock)],
] as const)('beside %s', (_name, make) => {
  test('a request is kept as a waterfall: its session, attempts and statements, with no value', async () => {
    const telemetry = watched(make());
    const span = startRequest(telemetry);
    await clock.advance(2);
    await span.run(async () => {
      await Promise.resolve();
      await runSession(telemetry);
    });
    endRequest(span);
    const { requests } = traffic.requestsAfter(0);
    expect(requests).toMatchObject([
      {
        id: 1,
        name: 'POST /orders',
        status: 201,
        outcome: 'ok',
        durationMs: 12,
        repeated: 1,
        requestId: 'r-1',
        more: 0,
      },
    ]);
    expect(requests[0]?.spans).toMatchObject([
      { operation: 'http.server', startMs: 0, durationMs: 12 },
      { parent: 0, operation: 'db.session', startMs: 2, durationMs: 10, outcome: 'ok', detail: 'http.post' },
      { parent: 1, operation: 'db.attempt', startMs: 2, durationMs: 5, detail: 'attempt 1' },
      { parent: 2, name: 'INSERT orders', outcome: 'error', kind: 'DATABASE_CONNECTION_LOST' },
      { parent: 1, operation: 'db.attempt', startMs: 7, durationMs: 5, detail: 'attempt 2' },
      { parent: 4, name: 'INSERT orders', startMs: 7, durationMs: 5, detail: 'shape 0a1b2c3d, 1 row' },
    ]);
    expect(JSON.stringify(requests)).not.toContain('Mk-secret');
  });

  test('spans of the service keep no query, and the result and the error of the work pass through', async () => {
    const telemetry = watched(make());
    const span = startRequest(telemetry);
    const error = new TypeError('broken');
    await span.run(async () => {
      const given = { name: 'GET /partner?card=Mk-card', operation: 'partner' };
      expect(await telemetry.span(given, async () => 7)).toBe(7);
      await expect(telemetry.span(given, () => Promise.reject(error))).rejects.toBe(error);
    });
    endRequest(span);
    expect(traffic.requestsAfter(0).requests[0]?.spans).toMatchObject([
      {},
      { name: 'GET /partner', outcome: 'ok' },
      { name: 'GET /partner', outcome: 'error', kind: 'TypeError' },
    ]);
  });

  test('all requests are counted, and at most so many in a second are kept', async () => {
    const telemetry = watched(make());
    for (let index = 0; index < 20; index++) endRequest(startRequest(telemetry), index < 15 ? 201 : 503);
    expect(traffic.counters()).toMatchObject({ answers: 20, failed: 5 });
    expect(ended).toHaveLength(20);
    expect(ended.at(-1)).toEqual({ status: 503, code: 'CIRCUIT_OPEN', failed: true });
    expect(traffic.requestsAfter(0).requests).toHaveLength(3);
    await clock.advance(1_000);
    endRequest(startRequest(telemetry));
    expect(traffic.requestsAfter(3).requests.map(({ id }) => id)).toEqual([4]);
  });

  test('a request that is not kept costs its work no span', async () => {
    const telemetry = watched(make());
    for (let index = 0; index < 3; index++) endRequest(startRequest(telemetry));
    const span = startRequest(telemetry);
    await span.run(() => runSession(telemetry));
    endRequest(span);
    expect(traffic.requestsAfter(0).requests).toHaveLength(3);
  });
});

test('telemetry gets every span as it would without the console, with its own parents', async () => {
  const seen = async (telemetry: (inner: RecordingTelemetry) => Telemetry) => {
    const inner = new RecordingTelemetry(clock);
    const used = telemetry(inner);
    const span = startRequest(used);
    await span.run(() => runSession(used));
    endRequest(span);
    const spans = inner.spans();
    return spans.map(({ name, status, kind, attributes, parent }) => ({
      name,
      status,
      kind,
      attributes,
      parent: parent?.name,
    }));
  };
  const without = await seen(inner => inner);
  expect(await seen(watched)).toEqual(without);
  expect(without).toHaveLength(6);
});

test('memory is bounded: spans of a request, and requests; those that failed outlive those that are well', async () => {
  const telemetry = watched(silentTelemetry);
  const failing = startRequest(telemetry);
  failing.run(() => {
    for (let index = 0; index < 50; index++)
      telemetry.startSpan({ name: 'GET prices', operation: 'http.client' }).end();
  });
  endRequest(failing, 503);
  for (let index = 0; index < 40; index++) {
    await clock.advance(1_000);
    endRequest(startRequest(telemetry));
  }
  const { requests, kept } = traffic.requestsAfter(0);
  expect(requests).toHaveLength(11);
  expect(requests[0]).toMatchObject({ id: 1, status: 503, more: 41 });
  expect(requests[0]?.spans).toHaveLength(10);
  expect(kept).toEqual([1, ...Array.from({ length: 10 }, (_, index) => 32 + index)]);
});

describe('keeps every promise of the slot', () => {
  /** As the suite of core reads this double. */
  const harness = () => {
    const inner = new RecordingTelemetry();
    const spans = () =>
      inner.spans().map(span => ({
        ...span,
        parent: span.parent?.name,
        parentId: span.parent?.spanId ?? span.remoteParentId,
      }));
    return { telemetry: watched(inner), spans };
  };
  test.each(telemetryConformance(harness))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});

describe('beside silent telemetry, keeps the promises that can be kept without a receiver', () => {
  test.each(telemetryConformance(() => ({ telemetry: watched(silentTelemetry) })))('$name', async ({ run }) => {
    expect(['passed', 'not-applicable']).toContain(await run());
  });
});
