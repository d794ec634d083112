import { KeelsonError, type SpanKind, systemClock } from '@keelson/core';
import { type TelemetryHarness, telemetryConformance } from '@keelson/core/testing';
import { SentryIngest, type WireSpan } from '@keelson/test-support/sentry-ingest';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { telemetrySentryOptions } from './options.js';
import { initSentry, type SentryHooks } from './sentry-client.js';
import { SentryTelemetry } from './sentry-telemetry.js';

function open(dsn: string, options: object = {}) {
  // The ingest lives in this process: requests to it would make spans of their own.
  const ignorePaths = ['/api/1/envelope/'];
  const parsed = telemetrySentryOptions.parse({ dsn, instrumentModules: false, ignorePaths, ...options });
  return new SentryTelemetry(initSentry(parsed), systemClock);
}

function reported(ingest: SentryIngest) {
  const { spans } = ingest;
  return spans.map(span => ({
    name: span.name,
    operation: String(span.attributes['sentry.op']?.value),
    status: span.status,
    attributes: Object.fromEntries(
      Object.entries(span.attributes).map(([name, { value }]) => [name, value as string | number | boolean]),
    ),
    traceId: span.trace_id,
    spanId: span.span_id,
    parentId: span.parent_span_id,
    kind: kindOf(span),
    errorKind: textOf(span, 'error.type'),
    parent: spans.find(other => other.span_id === span.parent_span_id)?.name,
  }));
}

function textOf(span: WireSpan, name: string): string | undefined {
  const value = span.attributes[name]?.value;
  return typeof value === 'string' ? value : undefined;
}

function kindOf(span: WireSpan): SpanKind {
  const kinds = ['internal', 'server', 'client', 'producer', 'consumer'] as const;
  return kinds.find(kind => kind === textOf(span, 'span.kind')) ?? 'internal';
}

describe('as telemetry', () => {
  const harness = async (): Promise<TelemetryHarness> => {
    const ingest = await SentryIngest.start();
    const telemetry = open(ingest.dsn);
    return {
      telemetry,
      spans: () => reported(ingest),
      errors: () => ingest.events.map(item => item.text),
      close: async () => {
        await telemetry.close(1_000);
        await ingest[Symbol.asyncDispose]();
      },
    };
  };
  test.each(telemetryConformance(harness))('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
  });
});

describe('on the wire', () => {
  let ingest: SentryIngest;
  let telemetry: SentryTelemetry;
  beforeEach(async () => {
    ingest = await SentryIngest.start();
    telemetry = open(ingest.dsn, { environment: 'staging', release: 'orders@1.2.3', secretKeys: ['iban'] });
  });
  afterEach(async () => {
    await telemetry.close(1_000);
    await ingest[Symbol.asyncDispose]();
  });

  test('an error event has environment, release, tags, fingerprint, facts, its chain of causes and its trace', async () => {
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const error = new KeelsonError({
      code: 'DB_DOWN',
      message: 'No answer.',
      hint: 'Look.',
      facts: { tries: 3n },
      cause,
    });
    const traceId = await telemetry.span({ name: 'database.session', operation: 'db' }, async () => {
      telemetry.captureError(error, { operation: 'database.session', facts: { attempt: 2, iban: 'hush' } });
      return telemetry.currentTraceId();
    });
    expect(await telemetry.flush(5_000)).toBe(true);
    expect(ingest.events).toHaveLength(1);
    expect(ingest.events[0]?.payload).toMatchObject({
      environment: 'staging',
      release: 'orders@1.2.3',
      tags: { operation: 'database.session', 'error.code': 'DB_DOWN' },
      fingerprint: ['{{ default }}', 'DB_DOWN'],
      exception: {
        values: [
          { type: 'Error', value: 'refused' },
          { type: 'KeelsonError', value: 'No answer.', mechanism: { handled: true } },
        ],
      },
      contexts: {
        facts: { attempt: 2, iban: '[masked]' },
        error: { code: 'DB_DOWN', hint: 'Look.', facts: { tries: '3' } },
        trace: { trace_id: traceId },
      },
    });
  });

  test('of the baggage of a sender, only what continues its trace goes into envelopes and further requests', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const baggage = [
      `sentry-trace_id=${traceId}`,
      'sentry-sample_rand=0.5',
      'sentry-transaction=GET%20/hush',
      'sentry-user_segment=hush',
      'sentry-release=hush',
      'sentry-public_key=hush hush',
      'other=hush',
    ].join(',');
    const continues = { 'sentry-trace': `${traceId}-b7ad6b7169203331-1`, baggage };
    const span = telemetry.startSpan({ name: 'GET /', operation: 'http.server', kind: 'server', continues });
    const headers = span.run(() => {
      telemetry.captureError(new Error('failed'));
      return telemetry.outgoingHeaders();
    });
    span.end();
    await telemetry.flush(5_000);
    expect(headers.baggage).toContain('sentry-sample_rand=0.5');
    expect(ingest.wire).toContain(traceId);
    expect(ingest.wire + JSON.stringify(headers)).not.toContain('hush');
  });

  test('more traces than Sentry would hold at once all arrive, each with its status', async () => {
    const spans = Array.from({ length: 200 }, (_, index) =>
      telemetry.span({ name: `job-${index}`, operation: 'job' }, async () => {
        if (index % 2 === 1) throw new Error('odd');
      }),
    );
    await Promise.allSettled(spans);
    expect(await telemetry.flush(5_000)).toBe(true);
    expect(ingest.spans).toHaveLength(200);
    expect(ingest.spans.find(span => span.name === 'job-2')?.status).toBe('ok');
    expect(ingest.spans.find(span => span.name === 'job-3')?.status).toBe('error');
  });

  test('a trace of more than 32 KB arrives gzipped and whole', async () => {
    const attributes = { filler: 'x'.repeat(500) };
    await telemetry.span({ name: 'job', operation: 'job' }, async () => {
      for (let index = 0; index < 100; index++)
        await telemetry.span({ name: `step-${index}`, operation: 'job', attributes }, async () => {});
    });
    await telemetry.flush(5_000);
    expect(ingest.encodings).toEqual(new Set(['gzip']));
    expect(ingest.spans).toHaveLength(101);
  });

  test('attributes of spans leave without statements, query parameters and credentials', async () => {
    await telemetry.span(
      {
        name: 'GET /orders?token=hush',
        operation: 'http.client',
        attributes: {
          'db.query.text': "select 'hush'",
          'db.statement': "select 'hush'",
          'url.full': 'https://user:hush@shop.example/orders?email=hush',
          'url.query': 'email=hush',
          'client.address': 'hush',
          'http.request.header.cookie': 'hush',
          'api.token': 'hush',
          'db.query.summary': 'SELECT orders',
        },
      },
      async () => {},
    );
    await telemetry.flush(5_000);
    const [span] = reported(ingest);
    expect(span?.name).toBe('GET /orders');
    expect(span?.attributes).toMatchObject({
      'url.full': 'https://[masked]@shop.example/orders',
      'db.query.summary': 'SELECT orders',
      'api.token': '[masked]',
    });
    expect(ingest.wire).not.toContain('hush');
  });

  test('statements and parameters among the facts are not sent', async () => {
    telemetry.captureError(new Error('failed'), {
      facts: { sql: "select 'hush'", params: ['hush'], query: 'hush', parameters: { a: 'hush' }, table: 'orders' },
    });
    await telemetry.flush(5_000);
    expect(ingest.events[0]?.payload.contexts?.facts).toMatchObject({ sql: '[masked]', table: 'orders' });
    expect(ingest.wire).not.toContain('hush');
  });
});

test('tracesSampleRate: the share of traces that arrives whole; errors and trace ids know none', async () => {
  await using ingest = await SentryIngest.start();
  const telemetry = open(ingest.dsn, { tracesSampleRate: 0.5 });
  const traces = 200;
  for (let index = 0; index < traces; index++) {
    const span = telemetry.startSpan({ name: 'work', operation: 'job', continues: {} });
    await span.run(async () => {
      await telemetry.span({ name: 'step', operation: 'job' }, async () => {});
      const recorded = telemetry.currentSpanId() === undefined ? '00' : '01';
      expect(telemetry.outgoingHeaders().traceparent).toMatch(
        new RegExp(`^00-${telemetry.currentTraceId()}-[0-9a-f]{16}-${recorded}$`),
      );
      if (index < 20) telemetry.captureError(new Error('no'), { operation: `job.${index}` });
    });
    span.end();
  }
  await telemetry.close(5_000);
  const named = (name: string) => ingest.spans.filter(span => span.name === name).length;
  expect(named('work')).toBeGreaterThan(50);
  expect(named('work')).toBeLessThan(150);
  expect(named('step')).toBe(named('work'));
  expect(ingest.events).toHaveLength(20);
});

describe('a hook of the service', () => {
  const sentWith = async (beforeSend: SentryHooks['beforeSend'] & {}) => {
    await using ingest = await SentryIngest.start();
    const options = telemetrySentryOptions.parse({ dsn: ingest.dsn });
    const telemetry = new SentryTelemetry(initSentry(options, { beforeSend }), systemClock);
    telemetry.captureError(new Error('failed'), { facts: { password: 'hush', attempt: 1 } });
    await telemetry.close(5_000);
    return ingest;
  };

  test('changes what is sent, and what it adds is masked', async () => {
    const { events, wire } = await sentWith(event => ({
      ...event,
      tags: { ...event.tags, shop: 'berlin', token: 'hush' },
      user: { email: 'hush@example.org' },
      request: {
        url: 'https://x/orders?email=hush',
        headers: { cookie: 'hush' },
        data: 'hush',
        cookies: { a: 'hush' },
      },
      extra: { password: 'hush', url: 'postgres://orders:hush@db/orders' },
      contexts: { ...event.contexts, own: { authorization: 'hush', kept: 'yes' } },
      breadcrumbs: [{ message: 'connect postgres://orders:hush@db', data: { query: 'hush' } }],
    }));
    expect(events[0]?.payload).toMatchObject({ tags: { shop: 'berlin' }, contexts: { own: { kept: 'yes' } } });
    expect(wire).not.toContain('hush');
  });

  test('may keep an event back', async () => {
    expect((await sentWith(() => null)).events).toEqual([]);
  });

  test('that throws changes nothing', async () => {
    const { events, wire } = await sentWith(event => {
      event.extra = { text: 'half' };
      throw new Error('of the hook');
    });
    expect(events[0]?.payload.contexts?.facts).toMatchObject({ attempt: 1 });
    expect(wire).not.toContain('half');
    expect(wire).not.toContain('hush');
  });
});

test('breadcrumbs come in their order, and no more than the options say', async () => {
  await using ingest = await SentryIngest.start();
  const telemetry = open(ingest.dsn, { maxBreadcrumbs: 3 });
  for (let crumb = 1; crumb <= 5; crumb++) {
    telemetry.breadcrumb({ category: 'test', message: `crumb ${crumb}`, processWide: crumb % 2 === 0 });
  }
  telemetry.captureError(new Error('failed'));
  await telemetry.close(5_000);
  const crumbs = ingest.events[0]?.payload.breadcrumbs?.map(({ message }) => message);
  expect(crumbs).toEqual(['crumb 3', 'crumb 4', 'crumb 5']);
});

describe('an ingest in trouble', () => {
  test('an ingest that is down neither blocks nor throws, and flush reports that not all was sent', async () => {
    const gone = await SentryIngest.start();
    const { dsn } = gone;
    await gone[Symbol.asyncDispose]();
    const telemetry = open(dsn);
    const result = await telemetry.span({ name: 'work', operation: 'job' }, async () => 'done');
    telemetry.captureError(new Error('unheard'));
    expect(result).toBe('done');
    expect(await telemetry.flush(5_000)).toBe(false);
    await telemetry.close(1_000);
  });

  test('an ingest that never answers costs flush its timeout and no more', async () => {
    await using ingest = await SentryIngest.start();
    ingest.answer = 'hang';
    const telemetry = open(ingest.dsn);
    telemetry.captureError(new Error('unheard'));
    await vi.waitFor(() => expect(ingest.events).toHaveLength(1));
    const startedAt = performance.now();
    expect(await telemetry.flush(100)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await telemetry.close(100)).toBe(false);
  });

  test('an ingest that refuses does not count as reached', async () => {
    await using ingest = await SentryIngest.start();
    ingest.answer = 503;
    const telemetry = open(ingest.dsn);
    telemetry.captureError(new Error('refused'));
    expect(await telemetry.flush(5_000)).toBe(false);
    await telemetry.close(1_000);
  });

  test('what is reported after close goes nowhere and throws nothing', async () => {
    await using ingest = await SentryIngest.start();
    const telemetry = open(ingest.dsn);
    expect(await telemetry.close(1_000)).toBe(true);
    telemetry.captureError(new Error('too late'));
    expect(await telemetry.span({ name: 'late', operation: 'job' }, async () => 1)).toBe(1);
    await telemetry.flush(1_000);
    expect(ingest.items).toEqual([]);
  });
});

describe('options', () => {
  test.each(['', 'sentry', 'ftp://k@host/1', 'https://host/1', 'https://k@host/project', 'https://k@host'])(
    'refuse the dsn "%s" without repeating it',
    dsn => {
      const problem = telemetrySentryOptions.safeParse({ dsn }).error?.issues[0];
      expect(problem).toMatchObject({ path: ['dsn'], message: expect.stringContaining('https://<key>@<host>') });
      if (dsn !== '') expect(problem?.message).not.toContain(dsn === 'sentry' ? '"sentry"' : dsn);
    },
  );

  test('refuse a missing dsn, unless everything is off', () => {
    expect(telemetrySentryOptions.safeParse({}).error?.issues[0]).toMatchObject({ path: ['dsn'] });
    expect(telemetrySentryOptions.safeParse({ enabled: false }).success).toBe(true);
  });

  test('mark the dsn as secret', () => {
    expect(telemetrySentryOptions.shape.dsn.meta()).toMatchObject({ secret: true });
  });
});
