import { expect, test } from 'vitest';
import { telemetryOtelOptions } from './options.js';
import { settingsOf } from './settings.js';

const settings = (options: object, variables: Record<string, string> = {}) =>
  settingsOf(telemetryOtelOptions.parse(options), variables);

test('without options and variables, the defaults count', () => {
  expect(settings({})).toEqual({
    enabled: true,
    tracesProtocol: 'http/protobuf',
    logsProtocol: 'http/protobuf',
    propagates: true,
    sampler: 'parentbased_traceidratio',
    sampleRate: 1,
    traces: true,
    errors: true,
    maxQueueSize: 2_048,
    maxBatchSize: 512,
    delayMs: 5_000,
    exportTimeoutMs: 30_000,
    unusable: [],
  });
});

const variables = {
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf',
  OTEL_PROPAGATORS: 'none',
  OTEL_TRACES_SAMPLER: 'traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '0.25',
  OTEL_BSP_MAX_QUEUE_SIZE: '100',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10',
  OTEL_BSP_SCHEDULE_DELAY: '1000',
  OTEL_BSP_EXPORT_TIMEOUT: '2000',
  OTEL_TRACES_EXPORTER: 'none',
  OTEL_LOGS_EXPORTER: 'none',
};

test('a variable wins over a default', () => {
  expect(settings({}, variables)).toEqual({
    enabled: true,
    tracesProtocol: 'http/json',
    logsProtocol: 'http/protobuf',
    propagates: false,
    sampler: 'traceidratio',
    sampleRate: 0.25,
    traces: false,
    errors: false,
    maxQueueSize: 100,
    maxBatchSize: 10,
    delayMs: 1_000,
    exportTimeoutMs: 2_000,
    unusable: [],
  });
});

test('an option wins over a variable', () => {
  const options = {
    protocol: 'http/protobuf',
    sampler: 'always_on',
    tracesSampleRate: 0.5,
    errors: true,
    batch: { maxQueueSize: 7, maxBatchSize: 9, delayMs: 50 },
  };
  expect(settings(options, variables)).toMatchObject({
    tracesProtocol: 'http/protobuf',
    sampler: 'always_on',
    sampleRate: 0.5,
    errors: true,
    maxQueueSize: 7,
    maxBatchSize: 7,
    delayMs: 50,
  });
});

test('OTEL_SDK_DISABLED wins over all', () => {
  expect(settings({ enabled: true }, { OTEL_SDK_DISABLED: 'TRUE' }).enabled).toBe(false);
  expect(settings({ enabled: false }, { OTEL_SDK_DISABLED: 'false' }).enabled).toBe(false);
  expect(settings({}, { OTEL_SDK_DISABLED: 'no' }).enabled).toBe(true);
});

test.each([
  ['tracecontext,baggage', true, []],
  ['baggage, tracecontext', true, []],
  ['none', false, []],
  ['baggage', false, []],
  ['b3,tracecontext', true, ['OTEL_PROPAGATORS']],
])('OTEL_PROPAGATORS=%s', (OTEL_PROPAGATORS, propagates, unusable) => {
  expect(settings({}, { OTEL_PROPAGATORS })).toMatchObject({ propagates, unusable });
});

test('a variable that cannot be used is named, and its default counts', () => {
  const wrong = { OTEL_TRACES_SAMPLER: 'jaeger_remote', OTEL_TRACES_SAMPLER_ARG: '2', OTEL_BSP_SCHEDULE_DELAY: '-1' };
  expect(settings({}, wrong)).toMatchObject({
    sampler: 'parentbased_traceidratio',
    sampleRate: 1,
    delayMs: 5_000,
    unusable: Object.keys(wrong),
  });
  expect(settings({}, { OTEL_TRACES_SAMPLER: '' }).unusable).toEqual([]);
});
