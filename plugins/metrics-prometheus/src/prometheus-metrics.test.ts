import { runWithContext } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import { samplesOf } from './exposition.fixture.js';
import { PrometheusMetrics, type PrometheusMetricsParts } from './prometheus-metrics.js';

const counted = { name: 'shop.orders', description: 'Orders taken', unit: '{order}', labels: ['shop.route'] };
const timed = { name: 'shop.wait', description: 'Waits', unit: 's', labels: ['shop.route'], buckets: [0.1, 1] };

function metricsWith(parts: Partial<PrometheusMetricsParts> = {}) {
  const logger = new RecordingLogger();
  const options = { maxSeries: 3, buckets: {} };
  return { logger, metrics: new PrometheusMetrics({ options, service: 'shop', logger, traceId: undefined, ...parts }) };
}

test('a scrape in OpenMetrics leaves the names of the text format as they are, in whatever order they come', async () => {
  const { metrics } = metricsWith();
  metrics.counter(counted).add(2, { 'shop.route': '/a' });
  const text = await metrics.expose('text');
  const openMetrics = await metrics.expose('openmetrics');
  const [again] = await Promise.all([metrics.expose('text'), metrics.expose('openmetrics')]);
  expect(text).toContain('# TYPE shop_orders_total counter\nshop_orders_total{shop_route="/a"} 2\n');
  expect(again).toBe(text);
  expect(openMetrics).toContain('# TYPE shop_orders counter\nshop_orders_total{shop_route="/a"} 2\n');
  expect(openMetrics.endsWith('\n# EOF\n')).toBe(true);
  expect(await metrics.expose('openmetrics')).toBe(openMetrics);
});

test('a bucket has the id of the last trace in it, in OpenMetrics alone', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  let current: string | undefined = trace;
  const { metrics } = metricsWith({ traceId: () => current });
  const histogram = metrics.histogram(timed);
  histogram.record(0.05, { 'shop.route': '/a' });
  current = undefined;
  histogram.record(5, { 'shop.route': '/a' });
  const exemplars = samplesOf(await metrics.expose('openmetrics')).flatMap(({ labels, exemplar }) =>
    exemplar === undefined ? [] : [[labels.le, exemplar.split(' ').slice(0, 2)]],
  );
  expect(exemplars).toEqual([['0.1', [`{trace_id="${trace}"}`, '0.05']]]);
  expect(await metrics.expose('text')).not.toContain('trace_id');
});

test('what is beyond the limit is one series, and logged once', async () => {
  const { metrics, logger } = metricsWith();
  const counter = metrics.counter(counted);
  for (let user = 0; user < 10; user += 1) counter.add(1, { 'shop.route': `/users/${user}` });
  const series = samplesOf(await metrics.expose('text')).filter(({ name }) => name === 'shop_orders_total');
  expect(series.map(({ labels, value }) => [labels, value])).toEqual([
    [{ shop_route: '/users/0' }, 1],
    [{ shop_route: '/users/1' }, 1],
    [{ shop_route: '/users/2' }, 1],
    [{ otel_metric_overflow: 'true' }, 7],
  ]);
  expect(logger.lines()).toMatchObject([{ level: 'warn', facts: { instrument: 'shop.orders', maxSeries: 3 } }]);
  expect(metrics.describe()).toEqual({ instruments: 1, series: 3, full: ['shop.orders'] });
});

test('a gauge is bounded at each collection, and not by what was there before', async () => {
  const { metrics, logger } = metricsWith();
  let from = 0;
  using _gauge = metrics.gauge({ ...counted, name: 'shop.carts' }, () =>
    [0, 1, 2].map(index => ({ value: 1, labels: { 'shop.route': `/${from + index}` } })),
  );
  for (; from < 9; from += 3) {
    const series = samplesOf(await metrics.expose('text')).filter(({ name }) => name === 'shop_carts');
    expect(series.map(({ labels }) => labels.shop_route)).toEqual([`/${from}`, `/${from + 1}`, `/${from + 2}`]);
  }
  expect(logger.lines()).toEqual([]);
});

test('a label that is not declared is left out, and logged once', async () => {
  const { metrics, logger } = metricsWith();
  for (let time = 0; time < 3; time += 1) metrics.counter(counted).add(1, { 'shop.route': '/a', user: `u${time}` });
  expect(await metrics.expose('text')).toContain('shop_orders_total{shop_route="/a"} 3\n');
  expect(logger.lines()).toMatchObject([{ level: 'warn', facts: { instrument: 'shop.orders', label: 'user' } }]);
});

test('a gauge that throws loses its series alone, and is logged once', async () => {
  const { metrics, logger } = metricsWith();
  const error = new Error('of the gauge');
  using _broken = metrics.gauge({ name: 'shop.broken', description: 'Broken', unit: '{cart}' }, () => {
    throw error;
  });
  metrics.counter(counted).add(1);
  for (let scrape = 0; scrape < 3; scrape += 1) {
    const samples = samplesOf(await metrics.expose('openmetrics'));
    expect(samples.map(({ name }) => name)).toEqual(['target_info', 'shop_orders_total']);
  }
  expect(logger.lines()).toMatchObject([{ level: 'warn', facts: { instrument: 'shop.broken', error } }]);
});

test('values that cannot be counted are left out', async () => {
  const { metrics } = metricsWith();
  const counter = metrics.counter(counted);
  const histogram = metrics.histogram(timed);
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1]) counter.add(value, { 'shop.route': '/a' });
  for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) histogram.record(value, { 'shop.route': '/a' });
  using _gauge = metrics.gauge({ name: 'shop.nan', description: 'None', unit: '1' }, () => [{ value: Number.NaN }]);
  expect(samplesOf(await metrics.expose('text')).map(({ name }) => name)).toEqual(['target_info']);
});

test('a long value of a label is cut', async () => {
  const { metrics } = metricsWith();
  metrics.counter(counted).add(1, { 'shop.route': 'x'.repeat(10_000) });
  expect(samplesOf(await metrics.expose('text')).at(-1)?.labels.shop_route).toHaveLength(256);
});

test('the configuration replaces the bounds of a histogram', async () => {
  const { metrics } = metricsWith({ options: { maxSeries: 10, buckets: { 'shop.wait': [2, 4] } } });
  metrics.histogram(timed).record(3, { 'shop.route': '/a' });
  const bounds = samplesOf(await metrics.expose('text')).filter(({ name }) => name.endsWith('_bucket'));
  expect(bounds.map(({ labels, value }) => [labels.le, value])).toEqual([
    ['2', 0],
    ['4', 1],
    ['+Inf', 1],
  ]);
});

test('two of one process share nothing', async () => {
  const [first, second] = [metricsWith(), metricsWith()];
  first.metrics.counter(counted).add(1);
  second.metrics.histogram({ ...timed, name: counted.name }).record(1);
  expect(await second.metrics.expose('text')).not.toContain('shop_orders_total');
});

test('the trace of a context is found outside of a span', async () => {
  const traceId = 'a'.repeat(32);
  const { metrics } = metricsWith({ traceId: () => traceId });
  runWithContext({ traceId }, () => metrics.histogram(timed).record(1));
  expect(await metrics.expose('openmetrics')).toContain(`# {trace_id="${traceId}"} 1 `);
});
