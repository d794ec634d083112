import { systemClock } from '@keelson/core';
import { metricsConformance, RecordingLogger } from '@keelson/core/testing';
import { OtlpReceiver } from '@keelson/test-support/otlp-receiver';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { metricsOtlpOptions } from './options.js';
import { OtlpMetrics } from './otlp-metrics.js';
import { settingsOf } from './settings.js';

const facts = { service: 'orders', environment: 'staging' };

function open(options: object): OtlpMetrics {
  const parsed = metricsOtlpOptions.parse(options);
  return new OtlpMetrics({ options: parsed, settings: settingsOf(parsed, process.env), facts, clock: systemClock });
}

describe.each(['http/protobuf', 'http/json'])('as metrics, over %s', protocol => {
  const cases = metricsConformance(async () => {
    const receiver = await OtlpReceiver.start();
    const metrics = open({ endpoint: receiver.url, protocol, maxSeries: 50 });
    return {
      metrics,
      seriesLimit: 50,
      read: async (_kind, { name }) => {
        receiver.clear();
        await metrics.flush(5_000);
        return receiver.points
          .filter(point => point.name === name)
          .map(({ attributes, value, count }) => ({
            labels: Object.fromEntries(
              Object.entries(attributes).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
            ),
            value,
            ...(count !== undefined && { count }),
          }));
      },
      close: async () => {
        await metrics.close(1_000);
        await receiver[Symbol.asyncDispose]();
      },
    };
  });
  test.each(cases)('$name', async ({ run }) => {
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

  test('instruments keep name, unit and kind, and say whose they are', async () => {
    const options = { headers: { 'x-api-key': 'key' }, resource: { team: 'shop' }, protocol: 'http/json' };
    const metrics = open({ endpoint: receiver.url, ...options });
    metrics.counter({ name: 'orders.placed', description: 'Orders', unit: '{order}' }).add(2);
    metrics.histogram({ name: 'orders.wait', description: 'Waits', unit: 's', buckets: [1, 5] }).record(2);
    using _gauge = metrics.gauge({ name: 'orders.open', description: 'Open', unit: '{order}' }, () => [{ value: 3 }]);
    expect(await metrics.close(5_000)).toBe(true);
    expect(receiver.points).toMatchObject([
      { name: 'orders.placed', unit: '{order}', type: 'sum', value: 2 },
      { name: 'orders.wait', unit: 's', type: 'histogram', value: 2, count: 1 },
      { name: 'orders.open', unit: '{order}', type: 'gauge', value: 3 },
    ]);
    expect(receiver.requests).toMatchObject([{ path: '/v1/metrics', headers: { 'x-api-key': 'key' } }]);
    expect(receiver.text).toContain('deployment.environment.name');
    expect(receiver.text).toContain('shop');
    expect(receiver.text).toContain('"explicitBounds":[1,5]');
  });

  test('they are sent at intervals', async () => {
    const metrics = open({ endpoint: receiver.url, intervalMs: 20 });
    metrics.counter({ name: 'orders.placed', description: 'Orders', unit: '{order}' }).add(1);
    await vi.waitFor(() => expect(receiver.requests.length).toBeGreaterThan(2));
    await metrics.close(1_000);
  });

  test.each([503, 'hang'] as const)(
    'a receiver that answers %s costs one log line, and the stop its limit',
    async answer => {
      receiver.answer = answer;
      const logger = new RecordingLogger();
      const metrics = open({ endpoint: receiver.url, timeoutMs: 50 });
      metrics.logTo(logger);
      metrics.counter({ name: 'orders.placed', description: 'Orders', unit: '{order}' }).add(1);
      expect(await metrics.flush(2_000)).toBe(false);
      expect(await metrics.flush(2_000)).toBe(false);
      expect(logger.lines('warn')).toMatchObject([{ message: 'metrics could not be sent' }]);
      const startedAt = performance.now();
      expect(await metrics.close(100)).toBe(false);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
    },
  );
});

test('an option wins over a variable, a variable over a default, and OTEL_SDK_DISABLED over all', () => {
  const settings = (options: object, variables: Record<string, string>) =>
    settingsOf(metricsOtlpOptions.parse(options), variables);
  const variables = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_METRIC_EXPORT_INTERVAL: '1000' };
  expect(settings({}, {})).toMatchObject({ enabled: true, protocol: 'http/protobuf', intervalMs: 60_000 });
  expect(settings({}, variables)).toMatchObject({ enabled: true, protocol: 'http/json', intervalMs: 1_000 });
  expect(settings({ protocol: 'http/protobuf', intervalMs: 5 }, variables)).toMatchObject({ intervalMs: 5 });
  expect(settings({}, { OTEL_SDK_DISABLED: 'true' }).enabled).toBe(false);
  expect(settings({}, { OTEL_METRICS_EXPORTER: 'none' }).enabled).toBe(false);
});
