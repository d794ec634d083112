import { silentMetrics } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { PrometheusMetrics } from '@keelson/metrics-prometheus';
import * as prometheus from 'prom-client';
import { expect, test } from 'vitest';
import { reportFigure } from './micro-report.js';
import { sideBySide } from './side-by-side.js';

const options = {
  name: 'http.server.request.duration',
  description: 'Requests',
  unit: 's',
  labels: ['http.request.method', 'http.route', 'http.response.status_code'],
};
const labels = { 'http.request.method': 'GET', 'http.route': '/orders/:id', 'http.response.status_code': '200' };

test('a value of a histogram, beside prom-client alone', async () => {
  const parts = { options: { maxSeries: 2_000, buckets: {} }, service: 'bench', logger: new RecordingLogger() };
  const ours = new PrometheusMetrics({ ...parts, traceId: undefined }).histogram(options);
  const traced = new PrometheusMetrics({ ...parts, traceId: () => 'a'.repeat(32) }).histogram(options);
  const silent = silentMetrics.histogram(options);
  const alone = new prometheus.Histogram({
    name: 'alone',
    help: 'Requests',
    labelNames: ['method', 'route', 'status'],
    registers: [],
  });
  const aloneLabels = { method: 'GET', route: '/orders/:id', status: '200' };
  const frozen = Object.freeze({ ...labels });
  const costs = await sideBySide(
    {
      'prom-client alone': many(() => alone.observe(aloneLabels, 0.012)),
      'frozen labels': many(() => ours.record(0.012, frozen)),
      'labels made for the value': many(() => ours.record(0.012, { ...labels })),
      'frozen labels, with the id of a trace': many(() => traced.record(0.012, frozen)),
      'silent metrics': many(() => silent.record(0.012, frozen)),
    },
    30,
  );
  for (const { name, us, ratio } of costs) {
    reportFigure({ name: `a value of a histogram: ${name}`, value: (us * 1_000) / values, unit: 'ns' });
    console.log(`  ${ratio.toFixed(2)} x the first`);
  }
  expect(costs).toHaveLength(5);
});

const values = 100;

/** So that awaiting the call does not count. */
function many(record: () => void): () => void {
  return () => {
    for (let value = 0; value < values; value += 1) record();
  };
}
