import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import type { InstrumentOptions, Labels, Metrics } from '../contract/slots/metrics.js';
import type { InstrumentKind } from '../metrics/instrument-book.js';

/** One series of an instrument, as it reached its destination. */
export interface ReadSeries {
  /** By the names of the declaration: `http.route`. Labels with an empty value may be left out. */
  readonly labels: Labels;
  /** Of a histogram, the sum of what was recorded. */
  readonly value: number;
  /** Of a histogram, how many values were recorded. */
  readonly count?: number;
}

/** Metrics of their own for one case, and the means to read what they report. */
export interface MetricsHarness {
  readonly metrics: Metrics;
  /** Collects now, and returns the series of one instrument, in any order; left out when they arrive nowhere. */
  read?(kind: InstrumentKind, options: InstrumentOptions): Promise<readonly ReadSeries[]>;
  /** The most series of one instrument; left out when it is not bounded, as in a test double. */
  readonly seriesLimit?: number;
  close?(): void | Promise<void>;
}

const counted = { name: 'test.orders', description: 'Orders', unit: '{order}', labels: ['shop.route', 'outcome'] };
const timed = { name: 'test.wait', description: 'Waits', unit: 's', labels: ['shop.route'], buckets: [0.1, 1] };
const sized = { name: 'test.size', description: 'Size', unit: 'By', labels: ['pool'] };

/** What every implementation of metrics must do, ours or another's. */
export function metricsConformance(createHarness: () => MetricsHarness | Promise<MetricsHarness>): ConformanceCase[] {
  const promise = casesOf(createHarness);
  const needs = 'a way to read the exported series: pass read to metricsConformance in a test';
  const applicable = casesOf(createHarness, needs, harness => harness.read !== undefined);
  const readable = (name: string, check: (metrics: Metrics, read: Read) => Promise<void>) =>
    applicable(name, async harness => {
      await check(harness.metrics, async (kind, options) => (await harness.read?.(kind, options)) ?? []);
    });
  const bounded = casesOf(
    createHarness,
    'a way to read the exported series, and their limit: pass read and seriesLimit to metricsConformance in a test',
    harness => harness.read !== undefined && harness.seriesLimit !== undefined,
  );

  return [
    promise('does not set `silent`, which only silent metrics set', async ({ metrics }) => {
      ok(metrics.silent !== true);
    }),
    promise('takes values of every instrument, with labels and without', async ({ metrics }) => {
      metrics.counter(counted).add(1, { 'shop.route': '/a', outcome: 'ok' });
      metrics.counter(counted).add(0);
      metrics.histogram(timed).record(0.5, Object.freeze({ 'shop.route': '/a' }));
      metrics.histogram({ name: 'test.plain', description: 'Without labels', unit: 's' }).record(0);
      const gauge = metrics.gauge(sized, () => [{ value: -1 }]);
      gauge[Symbol.dispose]();
      gauge[Symbol.dispose]();
    }),
    promise('takes the declaration of an instrument again, with the labels in any order', async ({ metrics }) => {
      metrics.counter(counted);
      metrics.counter({ ...counted, labels: ['outcome', 'shop.route'] }).add(1, { outcome: 'ok' });
    }),
    promise('refuses one name for two kinds, units, sets of labels or buckets', async ({ metrics }) => {
      metrics.counter(counted);
      metrics.histogram(timed);
      using _gauge = metrics.gauge(sized, () => []);
      const refused = (declare: () => unknown) =>
        throws(declare, error => isKeelsonError(error, 'METRICS_INSTRUMENT_DIFFERENT'));
      refused(() => metrics.histogram(counted));
      refused(() => metrics.gauge(counted, () => []));
      refused(() => metrics.counter({ ...counted, labels: ['outcome'] }));
      refused(() => metrics.counter({ ...counted, unit: '{item}' }));
      refused(() => metrics.histogram({ ...timed, buckets: [1, 2] }));
      refused(() => metrics.gauge({ ...sized, monotonic: true }, () => []));
    }),
    readable('sums a counter for each set of labels, whichever object it comes in', async (metrics, read) => {
      const recurring = Object.freeze({ 'shop.route': '/a', outcome: 'ok' });
      metrics.counter(counted).add(1, recurring);
      metrics.counter(counted).add(2, recurring);
      metrics.counter(counted).add(4, { outcome: 'ok', 'shop.route': '/a' });
      metrics.counter(counted).add(8, { 'shop.route': '/a', outcome: 'failed' });
      metrics.counter(counted).add(16, { 'shop.route': '/a' });
      deepEqual(valuesOf(await read('counter', counted), ['shop.route', 'outcome']), {
        '/a,ok': 7,
        '/a,failed': 8,
        '/a,': 16,
      });
    }),
    readable('keeps its own copy of labels that change later', async (metrics, read) => {
      const labels: Record<string, string> = { outcome: 'first' };
      const counter = metrics.counter(counted);
      counter.add(1, labels);
      labels.outcome = 'second';
      counter.add(2, labels);
      deepEqual(valuesOf(await read('counter', counted), ['outcome']), { first: 1, second: 2 });
    }),
    readable('counts and sums a histogram for each set of labels', async (metrics, read) => {
      const histogram = metrics.histogram(timed);
      for (const value of [0.05, 0.5, 5]) histogram.record(value, { 'shop.route': '/a' });
      histogram.record(0.25, { 'shop.route': '/b' });
      const series = await read('histogram', timed);
      deepEqual(valuesOf(series, ['shop.route']), { '/a': 5.55, '/b': 0.25 });
      deepEqual(series.map(({ count }) => count).toSorted(), [1, 3]);
    }),
    readable('reads a gauge at each collection, until it is disposed of', async (metrics, read) => {
      let value = 1;
      const gauge = metrics.gauge(sized, () => [{ value, labels: { pool: 'a' } }]);
      deepEqual(valuesOf(await read('gauge', sized), ['pool']), { a: 1 });
      value = -2.5;
      deepEqual(valuesOf(await read('gauge', sized), ['pool']), { a: -2.5 });
      gauge[Symbol.dispose]();
      deepEqual(await read('gauge', sized), []);
    }),
    readable('shows no series of a gauge that is not observed any more', async (metrics, read) => {
      let pools = ['a', 'b'];
      using _gauge = metrics.gauge(sized, () => pools.map(pool => ({ value: 1, labels: { pool } })));
      await read('gauge', sized);
      pools = ['b'];
      deepEqual(valuesOf(await read('gauge', sized), ['pool']), { b: 1 });
    }),
    readable('adds up what several parts observe with the same labels', async (metrics, read) => {
      using _first = metrics.gauge(sized, () => [{ value: 1, labels: { pool: 'a' } }]);
      using _second = metrics.gauge(sized, () => [
        { value: 2, labels: { pool: 'a' } },
        { value: 4, labels: { pool: 'b' } },
      ]);
      deepEqual(valuesOf(await read('gauge', sized), ['pool']), { a: 3, b: 4 });
    }),
    readable('loses only the series of a gauge that throws', async (metrics, read) => {
      using _broken = metrics.gauge(sized, () => {
        throw new Error('of the gauge');
      });
      using _sound = metrics.gauge(sized, () => [{ value: 1, labels: { pool: 'a' } }]);
      metrics.counter(counted).add(1, { outcome: 'ok' });
      deepEqual(valuesOf(await read('gauge', sized), ['pool']), { a: 1 });
      deepEqual(valuesOf(await read('counter', counted), ['outcome']), { ok: 1 });
    }),
    readable('reads a sum that only grows', async (metrics, read) => {
      const busy = { name: 'test.busy', description: 'Busy', unit: 's', monotonic: true, labels: ['mode'] };
      let value = 1.5;
      using _gauge = metrics.gauge(busy, () => [{ value, labels: { mode: 'user' } }]);
      deepEqual(valuesOf(await read('gauge', busy), ['mode']), { user: 1.5 });
      value = 2;
      deepEqual(valuesOf(await read('gauge', busy), ['mode']), { user: 2 });
    }),
    readable('keeps every text of a label as it is', async (metrics, read) => {
      const texts = ['"quoted"', 'two\nlines', 'back\\slash', 'back\\nslash', 'grüße 🚢', '{a="b"} 1', '# HELP', ','];
      for (const [index, text] of texts.entries()) metrics.counter(counted).add(index + 1, { outcome: text });
      deepEqual(
        valuesOf(await read('counter', counted), ['outcome']),
        Object.fromEntries(texts.map((text, index) => [text, index + 1])),
      );
    }),
    bounded('bounds the series of an instrument, and loses no value', async ({ metrics, read, seriesLimit = 0 }) => {
      const counter = metrics.counter(counted);
      const histogram = metrics.histogram(timed);
      const given = seriesLimit * 2;
      for (let index = 0; index < given; index += 1) {
        counter.add(1, { outcome: `user ${index}` });
        histogram.record(1, { 'shop.route': `/users/${index}` });
      }
      const counts = (await read?.('counter', counted)) ?? [];
      const times = (await read?.('histogram', timed)) ?? [];
      for (const series of [counts, times]) {
        ok(series.length <= seriesLimit + 1, `${series.length} series, with one for all that are too many`);
        equal(
          series.reduce((sum, { value }) => sum + value, 0),
          given,
        );
      }
      counter.add(1, { outcome: 'user 0' });
      equal(valuesOf((await read?.('counter', counted)) ?? [], ['outcome'])['user 0'], 2, 'the first are still known');
    }),
  ];
}

type Read = NonNullable<MetricsHarness['read']>;

/** By the values of `labels`; rounded, because sums of fractions are not exact. */
function valuesOf(series: readonly ReadSeries[], labels: readonly string[]): Record<string, number> {
  const entries = series.map(({ labels: given, value }) => [
    labels.map(label => given[label] ?? '').join(),
    Math.round(value * 1e6) / 1e6,
  ]);
  return Object.fromEntries(entries);
}
