import { metricsConformance, RecordingLogger } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { readSeries } from './exposition.fixture.js';
import { PrometheusMetrics } from './prometheus-metrics.js';
import type { Format } from './registries.js';

describe.each<Format>(['text', 'openmetrics'])('read as %s', format => {
  const cases = metricsConformance(() => {
    const logger = new RecordingLogger();
    const options = { maxSeries: 100, buckets: {} };
    const metrics = new PrometheusMetrics({ options, service: 'test', logger, traceId: undefined });
    return {
      metrics,
      seriesLimit: options.maxSeries,
      read: async (kind, options) => readSeries(await metrics.expose(format), kind, options),
    };
  });

  test.each(cases)('$name', async ({ run }) => {
    expect(await run()).toBe('passed');
  });
});
