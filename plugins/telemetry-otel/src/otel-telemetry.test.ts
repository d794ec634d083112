import { KeelsonError, type SpanKind, systemClock } from '@keelson/core';
import { RecordingLogger, type TelemetryHarness, telemetryConformance } from '@keelson/core/testing';
import { eventually } from '@keelson/test-support/eventually';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { telemetryOtelOptions } from './options.js';
import { openSdk } from './otel-sdk.js';
import { OtelTelemetry } from './otel-telemetry.js';
import { settingsOf } from './settings.js';

const facts = { service: 'orders', environment: 'staging' };

function open(endpoint: string, options: object = {}, logger = new RecordingLogger()) {
  const parsed = telemetryOtelOptions.parse({ endpoint, ...options });
  const sdk = openSdk(parsed, settingsOf(parsed, process.env), facts, systemClock);
  sdk.watch.logTo(logger);
  return new OtelTelemetry(sdk, parsed, systemClock);
}

const kinds: readonly SpanKind[] = ['internal', 'server', 'client', 'producer', 'consumer'];

function reported(receiver: OtlpReceiver) {
  const { spans } = receiver;
  return spans.map(span => ({
    name: span.name,
    operation: String(span.attributes['keelson.operation']),
    status: ([undefined, 'ok', 'error'] as const)[span.status],
    attributes: Object.fromEntries(
      Object.entries(span.attributes).filter(
        (entry): entry is [string, string | number | boolean] => !Array.isArray(entry[1]) && entry[1] !== undefined,
      ),
    ),
    traceId: span.traceId,
    spanId: span.spanId,
    parentId: span.parentSpanId,
    kind: kinds[span.kind - 1] ?? 'internal',
    errorKind: typeof span.attributes['error.type'] === 'string' ? span.attributes['error.type'] : undefined,
    parent: spans.find(other => other.spanId === span.parentSpanId)?.name,
  }));
}

describe.each(['http/protobuf', 'http/json'])('as telemetry, over %s', protocol => {
  const harness = async (): Promise<TelemetryHarness> => {
    const receiver = await OtlpReceiver.start();
    const telemetry = open(receiver.url, { protocol });
    return {
      telemetry,
      spans: () => reported(receiver),
      errors: () => receiver.logs.map(log => JSON.stringify(log)),
      close: async () => {
        await telemetry.close(1_000);
        await receiver[Symbol.asyncDispose]();
      },
    };
  };
  test.each(telemetryConformance(harness))('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
  });
});

describe('on the wire', () => {
  let receiver: OtlpReceiver;
  beforeEach(async () => {
    receiver = await OtlpReceiver.start();
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await receiver[Symbol.asyncDispose]();
  });

  test('an error is a log record and an event of its span, with its parts, its trace and its resource', async () => {
    const telemetry = open(receiver.url, { secretKeys: ['iban'] });
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const error = new KeelsonError({
      code: 'DB_DOWN',
      message: 'No answer.',
      hint: 'Look.',
      facts: { tries: 3n },
      cause,
    });
    await telemetry.span({ name: 'work', operation: 'job' }, async () => {
      telemetry.captureError(error, { operation: 'database.session', facts: { attempt: 2, iban: 'hush' } });
    });
    expect(await telemetry.close(5_000)).toBe(true);
    const [span] = receiver.spans;
    const exception = { 'exception.type': 'KeelsonError', 'exception.message': 'No answer.' };
    expect(span?.events).toMatchObject([{ name: 'exception', attributes: exception }]);
    const [log, ...others] = receiver.logs;
    expect(others).toEqual([]);
    expect(log).toMatchObject({
      eventName: 'exception',
      severityText: 'ERROR',
      body: 'No answer.',
      traceId: span?.traceId,
      spanId: span?.spanId,
      attributes: { ...exception, 'error.type': 'DB_DOWN', 'keelson.error.hint': 'Look.' },
      resource: { 'service.name': 'orders', 'deployment.environment.name': 'staging' },
    });
    expect(JSON.parse(String(log?.attributes['keelson.facts']))).toEqual({ attempt: 2, iban: '[masked]' });
    expect(JSON.parse(String(log?.attributes['keelson.error']))).toMatchObject({
      code: 'DB_DOWN',
      facts: { tries: '3' },
      cause: { message: 'refused', code: 'ECONNREFUSED' },
    });
    expect(receiver.text).not.toContain('hush');
  });

  test('spans of code that uses the API of OpenTelemetry are parts of the same trace, masked', async () => {
    const telemetry = open(receiver.url);
    await telemetry.span({ name: 'work', operation: 'job' }, async () => {
      trace
        .getTracer('other')
        .startSpan('theirs', { attributes: { 'db.query.text': 'hush' } })
        .end();
    });
    await telemetry.close(5_000);
    expect(reported(receiver).find(({ name }) => name === 'theirs')?.parent).toBe('work');
    expect(receiver.text).not.toContain('hush');
  });

  test('headers, compression and the paths of the signals', async () => {
    const telemetry = open(`${receiver.url}/collect/`, { headers: { 'x-api-key': 'key' }, compression: 'gzip' });
    await telemetry.span({ name: 'work', operation: 'job' }, async () => telemetry.captureError(new Error('no')));
    await telemetry.close(5_000);
    expect(receiver.requests.map(({ path }) => path).toSorted()).toEqual(['/collect/v1/logs', '/collect/v1/traces']);
    expect(receiver.requests[0]?.headers).toMatchObject({ 'x-api-key': 'key', 'content-encoding': 'gzip' });
  });

  test('the variables of the specification count where the options say nothing', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'x-api-key=of-variable');
    vi.stubEnv('OTEL_SERVICE_NAME', 'of-variable');
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'service.version=1.2.3,deployment.environment.name=canary,team=shop');
    const parsed = telemetryOtelOptions.parse({ resource: { team: 'orders' } });
    const sdk = openSdk(parsed, settingsOf(parsed, process.env), facts, systemClock);
    const telemetry = new OtelTelemetry(sdk, parsed, systemClock);
    await telemetry.span({ name: 'work', operation: 'job' }, async () => {});
    expect(await telemetry.close(5_000)).toBe(true);
    expect(receiver.requests[0]?.headers['x-api-key']).toBe('of-variable');
    expect(receiver.spans[0]?.resource).toMatchObject({
      'service.name': 'of-variable',
      'service.version': '1.2.3',
      'deployment.environment.name': 'canary',
      team: 'orders',
      'telemetry.sdk.language': 'nodejs',
    });
  });

  test('tracesSampleRate: the share of traces that arrives whole; errors and trace ids know none', async () => {
    const telemetry = open(receiver.url, { tracesSampleRate: 0.5 });
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
    const named = (name: string) => receiver.spans.filter(span => span.name === name).length;
    expect(named('work')).toBeGreaterThan(50);
    expect(named('work')).toBeLessThan(150);
    expect(named('step')).toBe(named('work'));
    expect(receiver.logs).toHaveLength(20);
  });

  test('OTEL_PROPAGATORS=none: a trace neither comes in nor goes out', async () => {
    vi.stubEnv('OTEL_PROPAGATORS', 'none');
    const telemetry = open(receiver.url);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const continues = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await telemetry.span({ name: 'answer', operation: 'test', continues }, async () => {
      expect(telemetry.currentTraceId()).toMatch(/^[0-9a-f]{32}$/);
      expect(telemetry.currentTraceId()).not.toBe(traceId);
      expect(telemetry.outgoingHeaders()).toEqual({});
    });
    await telemetry.close(5_000);
    expect(receiver.spans).toMatchObject([{ name: 'answer', parentSpanId: undefined }]);
  });

  test('OTEL_EXPORTER_OTLP_LOGS_PROTOCOL is the encoding of errors alone', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_LOGS_PROTOCOL', 'http/json');
    const telemetry = open(receiver.url);
    await telemetry.span({ name: 'work', operation: 'job' }, async () => telemetry.captureError(new Error('no')));
    await telemetry.close(5_000);
    const encodings = receiver.requests.map(({ path, headers }) => [path, headers['content-type']]);
    expect(Object.fromEntries(encodings)).toEqual({
      '/v1/traces': 'application/x-protobuf',
      '/v1/logs': 'application/json',
    });
  });

  test.each([
    ['always_off', {}, 0],
    ['always_on', {}, 50],
    ['traceidratio', { tracesSampleRate: 0 }, 0],
    ['parentbased_traceidratio', { tracesSampleRate: 1 }, 50],
  ])('the sampler %s', async (sampler, options, expected) => {
    const telemetry = open(receiver.url, { sampler, ...options });
    for (let span = 0; span < 50; span++) await telemetry.span({ name: 'work', operation: 'job' }, async () => {});
    await telemetry.close(5_000);
    expect(receiver.spans).toHaveLength(expected);
  });
});

describe('a receiver in trouble', () => {
  test.each([429, 503, 400])('that answers %d neither blocks nor throws, and is one log line', async answer => {
    await using receiver = await OtlpReceiver.start();
    receiver.answer = answer;
    const logger = new RecordingLogger();
    const telemetry = open(receiver.url, { batch: { maxBatchSize: 1 }, timeoutMs: 300 }, logger);
    for (let span = 0; span < 5; span++) await telemetry.span({ name: 'work', operation: 'job' }, async () => {});
    expect(await telemetry.flush(5_000)).toBe(false);
    expect(logger.lines('warn')).toMatchObject([
      { message: 'telemetry could not be sent', facts: { signal: 'traces' } },
    ]);
    await telemetry.close(100);
  });

  test('that is down', async () => {
    const gone = await OtlpReceiver.start();
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    const logger = new RecordingLogger();
    const telemetry = open(url, { timeoutMs: 300 }, logger);
    telemetry.captureError(new Error('unheard'));
    expect(await telemetry.span({ name: 'work', operation: 'job' }, async () => 'done')).toBe('done');
    expect(await telemetry.flush(5_000)).toBe(false);
    expect(logger.lines('warn')).toHaveLength(1);
    await telemetry.close(100);
  });

  test('that never answers costs flush its timeout and no more, and memory its limit', async () => {
    await using receiver = await OtlpReceiver.start();
    receiver.answer = 'hang';
    const telemetry = open(receiver.url, { batch: { maxQueueSize: 10, maxBatchSize: 10, delayMs: 1 } });
    for (let span = 0; span < 10; span++) await telemetry.span({ name: 'first', operation: 'job' }, async () => {});
    await eventually(() => receiver.requests.length === 1);
    for (let span = 0; span < 1_000; span++) await telemetry.span({ name: 'later', operation: 'job' }, async () => {});
    const startedAt = performance.now();
    expect(await telemetry.flush(100)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await eventually(() => receiver.requests.length === 2);
    expect(receiver.spans.filter(({ name }) => name === 'later')).toHaveLength(10);
    expect(await telemetry.close(100)).toBe(false);
  });

  test('what is reported after close goes nowhere and throws nothing', async () => {
    await using receiver = await OtlpReceiver.start();
    const telemetry = open(receiver.url);
    expect(await telemetry.close(1_000)).toBe(true);
    telemetry.captureError(new Error('too late'));
    expect(await telemetry.span({ name: 'late', operation: 'job' }, async () => 1)).toBe(1);
    await telemetry.flush(1_000);
    expect(receiver.requests).toEqual([]);
  });
});
