import type {
  Counter,
  GaugeOptions,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Logger,
  Metrics,
  Observation,
} from '@keelson/core';
import { InstrumentBook, type InstrumentKind, madeOnce } from '@keelson/core/metrics';
import * as prometheus from 'prom-client';
import { GaugeReader } from './gauge-reader.js';
import { LabelSets, overflowLabel } from './label-sets.js';
import type { MetricsPrometheusOptions } from './options.js';
import { prometheusLabel, prometheusName } from './prometheus-name.js';
import { type Format, Registries } from './registries.js';

export interface PrometheusMetricsParts {
  readonly options: Pick<MetricsPrometheusOptions, 'maxSeries' | 'buckets'>;
  /** The name of the service. */
  readonly service: string;
  readonly logger: Logger;
  /** Returns the id of the current trace, for exemplars. Undefined: no exemplars. */
  readonly traceId: (() => string | undefined) | undefined;
}

/** Metrics on prom-client, under the names of Prometheus. */
export class PrometheusMetrics implements Metrics {
  readonly silent = false;
  readonly #parts: PrometheusMetricsParts;
  readonly #book = new InstrumentBook();
  readonly #registries = new Registries();
  readonly #counters = new Map<string, Counter>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #gauges = new Map<string, GaugeReader>();
  readonly #labels = new Map<string, LabelSets>();

  constructor(parts: PrometheusMetricsParts) {
    this.#parts = parts;
    const target = new prometheus.Gauge({
      name: 'target_info',
      help: 'The service',
      labelNames: ['service_name'],
      registers: [],
    });
    target.set({ service_name: parts.service }, 1);
    this.#registries.add(target);
  }

  counter(options: InstrumentOptions): Counter {
    this.#book.declare('counter', options);
    return madeOnce(this.#counters, options.name, () => this.#newCounter(options));
  }

  histogram(options: HistogramOptions): Histogram {
    this.#book.declare('histogram', options);
    return madeOnce(this.#histograms, options.name, () => this.#newHistogram(options));
  }

  gauge(options: GaugeOptions, observe: () => readonly Observation[]): Disposable {
    this.#book.declare('gauge', options);
    return madeOnce(this.#gauges, options.name, () => this.#newGauge(options)).add(observe);
  }

  contentType(format: Format): string {
    return this.#registries.contentType(format);
  }

  /** Reads every gauge and returns everything, as Prometheus scrapes it. */
  expose(format: Format): Promise<string> {
    return this.#registries.expose(format);
  }

  /** How many instruments and series there are, and which instruments have too many. */
  describe(): { readonly instruments: number; readonly series: number; readonly full: readonly string[] } {
    const sets = [...this.#labels];
    return {
      instruments: this.#book.all().length,
      series: sets.reduce((sum, [, labels]) => sum + Math.max(1, labels.size), 0),
      full: sets.filter(([, labels]) => labels.isFull).map(([name]) => name),
    };
  }

  #newCounter(options: InstrumentOptions): Counter {
    const labels = this.#labelsOf(options);
    const counter = new prometheus.Counter(configurationOf('counter', options));
    this.#registries.addCounter(counter, prometheusName('counter', options));
    return {
      add(value, given) {
        if (value >= 0 && value < Number.POSITIVE_INFINITY) counter.inc(labels.of(given), value);
      },
    };
  }

  #newHistogram(options: HistogramOptions): Histogram {
    const labels = this.#labelsOf(options);
    const buckets = this.#parts.options.buckets[options.name] ?? options.buckets ?? defaultBuckets;
    const { traceId } = this.#parts;
    const histogram = new prometheus.Histogram({
      ...configurationOf('histogram', options),
      buckets: [...buckets],
      enableExemplars: traceId !== undefined,
    });
    this.#registries.add(histogram);
    if (traceId === undefined) {
      return {
        record(value, given) {
          if (Number.isFinite(value)) histogram.observe(labels.of(given), value);
        },
      };
    }
    return {
      record(value, given) {
        if (!Number.isFinite(value)) return;
        const trace = traceId();
        const observed = { labels: labels.of(given), value };
        histogram.observe(trace === undefined ? observed : { ...observed, exemplarLabels: { trace_id: trace } });
      },
    };
  }

  #newGauge(options: GaugeOptions): GaugeReader {
    const reader = new GaugeReader(this.#labelsOf(options), error => {
      this.#parts.logger.warn('a gauge could not be read', { instrument: options.name, error });
    });
    const configuration = configurationOf('gauge', options);
    if (options.monotonic === true) {
      const counter = new prometheus.Counter({
        ...configuration,
        collect() {
          this.reset();
          for (const [labels, value] of reader.read()) if (value >= 0) this.inc(labels, value);
        },
      });
      this.#registries.addCounter(counter, configuration.name);
      return reader;
    }
    const gauge = new prometheus.Gauge({
      ...configuration,
      collect() {
        this.reset();
        for (const [labels, value] of reader.read()) this.set(labels, value);
      },
    });
    this.#registries.add(gauge);
    return reader;
  }

  #labelsOf({ name, labels = [] }: InstrumentOptions): LabelSets {
    const { logger, options } = this.#parts;
    const sets = new LabelSets(labels, options.maxSeries, {
      onFull: () => {
        const facts = { instrument: name, maxSeries: options.maxSeries };
        logger.warn('an instrument has too many series: further ones are counted together', facts);
      },
      onUndeclared: label => {
        logger.warn('a label that is not declared was left out', { instrument: name, label });
      },
    });
    this.#labels.set(name, sets);
    return sets;
  }
}

/** Those of the conventions for durations of HTTP. */
const defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** prom-client shows 0 for a gauge without labels that was not observed; with a label it shows nothing. */
function configurationOf(kind: InstrumentKind, options: GaugeOptions) {
  const labels = (options.labels ?? []).map(prometheusLabel);
  const hasSeries = kind === 'gauge' || labels.length > 0;
  return {
    name: prometheusName(kind, options),
    help: options.description,
    labelNames: hasSeries ? [...labels, overflowLabel] : [],
    registers: [],
  };
}
