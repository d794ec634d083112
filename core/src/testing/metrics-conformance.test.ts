import { describe, expect, test } from 'vitest';
import type { InstrumentOptions, Labels } from '../contract/slots/metrics.js';
import { metricsConformance, type ReadSeries } from './metrics-conformance.js';
import { RecordingMetrics } from './recording-metrics.js';

/** What was recorded for each set of labels. */
function seriesOf(metrics: RecordingMetrics, { name }: InstrumentOptions): readonly ReadSeries[] {
  const series = new Map<string, { labels: Labels; value: number; count: number }>();
  for (const { value, labels = {} } of metrics.series(name)) {
    const key = JSON.stringify(Object.entries(labels).sort());
    const before = series.get(key) ?? { labels, value: 0, count: 0 };
    series.set(key, { labels, value: before.value + value, count: before.count + 1 });
  }
  return [...series.values()];
}

describe('RecordingMetrics', () => {
  const cases = metricsConformance(() => {
    const metrics = new RecordingMetrics();
    return { metrics, read: async (_kind, options) => seriesOf(metrics, options) };
  });

  test.each(cases)('$name', async ({ run, needs }) => {
    expect(await run()).toBe(needs?.includes('limit') ? 'not-applicable' : 'passed');
  });
});
