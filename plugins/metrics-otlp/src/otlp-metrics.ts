import type {
  Clock,
  Counter,
  GaugeOptions,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Logger,
  Metrics,
  Observation,
} from '@keelson/core';
import { InstrumentBook, madeOnce } from '@keelson/core/metrics';
import { ExportWatch, exporterConfigOf, resourceOf, type ServiceFacts } from '@keelson/otlp';
import type { Meter } from '@opentelemetry/api';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { DeclaredLabels } from './labels.js';
import { ObservedGauge } from './observed-gauge.js';
import type { MetricsOtlpOptions } from './options.js';
import type { Settings } from './settings.js';
import { WatchedExporter } from './watched-exporter.js';

export interface OtlpMetricsParts {
  readonly options: MetricsOtlpOptions;
  readonly settings: Settings;
  readonly facts: ServiceFacts;
  readonly clock: Clock;
}

/** Metrics on the OpenTelemetry SDK, sent at intervals. */
export class OtlpMetrics implements Metrics {
  readonly silent = false;
  readonly #clock: Clock;
  readonly #watch: ExportWatch;
  readonly #provider: MeterProvider;
  readonly #meter: Meter;
  readonly #book = new InstrumentBook();
  readonly #counters = new Map<string, Counter>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #gauges = new Map<string, ObservedGauge>();
  #logger: Logger | undefined;

  constructor({ options, settings, facts, clock }: OtlpMetricsParts) {
    this.#clock = clock;
    const config = exporterConfigOf(options, 'v1/metrics');
    const exporter =
      settings.protocol === 'http/json' ? new JsonMetricExporter(config) : new ProtobufMetricExporter(config);
    this.#watch = new ExportWatch(clock, 'metrics could not be sent');
    const reader = new PeriodicExportingMetricReader({
      exporter: new WatchedExporter(exporter, this.#watch),
      exportIntervalMillis: settings.intervalMs,
      exportTimeoutMillis: Math.min(settings.intervalMs, 30_000),
    });
    this.#provider = new MeterProvider({
      resource: resourceOf(options, facts),
      readers: [reader],
      // The SDK counts the series for all that are too many among them.
      views: [{ instrumentName: '*', aggregationCardinalityLimit: options.maxSeries + 1 }],
    });
    this.#meter = this.#provider.getMeter('@keelson/metrics-otlp');
  }

  /** Exports that could not be sent so far. */
  get failures(): number {
    return this.#watch.failures;
  }

  logTo(logger: Logger): void {
    this.#logger = logger;
    this.#watch.logTo(logger);
  }

  counter(options: InstrumentOptions): Counter {
    this.#book.declare('counter', options);
    return madeOnce(this.#counters, options.name, () => {
      const labels = new DeclaredLabels(options.labels ?? []);
      const counter = this.#meter.createCounter(options.name, describedBy(options));
      return {
        add(value, given) {
          if (value >= 0 && value < Number.POSITIVE_INFINITY) counter.add(value, labels.of(given));
        },
      };
    });
  }

  histogram(options: HistogramOptions): Histogram {
    this.#book.declare('histogram', options);
    return madeOnce(this.#histograms, options.name, () => {
      const labels = new DeclaredLabels(options.labels ?? []);
      const { buckets } = options;
      const advice = buckets === undefined ? {} : { advice: { explicitBucketBoundaries: [...buckets] } };
      const histogram = this.#meter.createHistogram(options.name, { ...describedBy(options), ...advice });
      return {
        record(value, given) {
          if (Number.isFinite(value)) histogram.record(value, labels.of(given));
        },
      };
    });
  }

  gauge(options: GaugeOptions, observe: () => readonly Observation[]): Disposable {
    this.#book.declare('gauge', options);
    return madeOnce(this.#gauges, options.name, () => this.#newGauge(options)).add(observe);
  }

  /** Collects and sends now. True when it was sent within `timeoutMs`. */
  flush(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, () => this.#provider.forceFlush());
  }

  /** As `flush`, and shuts the exporter down. */
  close(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, () => this.#provider.shutdown());
  }

  #newGauge(options: GaugeOptions): ObservedGauge {
    const gauge = new ObservedGauge(new DeclaredLabels(options.labels ?? []), error =>
      this.#logger?.warn('a gauge could not be read', { instrument: options.name, error }),
    );
    const described = describedBy(options);
    const observable = options.monotonic
      ? this.#meter.createObservableCounter(options.name, described)
      : this.#meter.createObservableGauge(options.name, described);
    observable.addCallback(result => {
      for (const { attributes, value } of gauge.read()) {
        if (!options.monotonic || value >= 0) result.observe(value, attributes);
      }
    });
    return gauge;
  }

  async #within(timeoutMs: number, send: () => Promise<void>): Promise<boolean> {
    const failuresBefore = this.failures;
    const late = Promise.withResolvers<boolean>();
    const timer = this.#clock.schedule(timeoutMs, () => late.resolve(false), { keepAlive: true });
    try {
      const sent = send().then(() => true);
      return (await Promise.race([sent, late.promise])) && this.failures === failuresBefore;
    } catch {
      return false;
    } finally {
      timer.cancel();
    }
  }
}

function describedBy({ description, unit }: InstrumentOptions): { description: string; unit: string } {
  return { description, unit };
}
