import { type Clock, errorKindOf, type Logger } from '@keelson/core';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InstrumentType,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';

const periodMs = 60_000;

type Exporter = PushMetricExporter & { selectAggregationTemporality(type: InstrumentType): AggregationTemporality };

/** Counts failed exports, and logs one line in a minute about them. */
export class WatchedExporter implements PushMetricExporter {
  readonly #exporter: Exporter;
  readonly #clock: Clock;
  readonly #logger: () => Logger | undefined;
  #failures = 0;
  #unreported = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(exporter: Exporter, clock: Clock, logger: () => Logger | undefined) {
    this.#exporter = exporter;
    this.#clock = clock;
    this.#logger = logger;
  }

  get failures(): number {
    return this.#failures;
  }

  export(metrics: ResourceMetrics, report: (result: ExportResult) => void): void {
    this.#exporter.export(metrics, result => {
      if (result.code !== ExportResultCode.SUCCESS) this.#failed(result.error);
      report(result);
    });
  }

  /** A gauge has none; with this one, the SDK forgets series that are not observed any more. */
  selectAggregationTemporality(type: InstrumentType): AggregationTemporality {
    if (type === InstrumentType.OBSERVABLE_GAUGE) return AggregationTemporality.DELTA;
    return this.#exporter.selectAggregationTemporality(type);
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  /** The body of an answer may quote what was sent. */
  #failed(error: unknown): void {
    this.#failures += 1;
    this.#unreported += 1;
    const now = this.#clock.now();
    const logger = this.#logger();
    if (logger === undefined || now - this.#reportedAt < periodMs) return;
    const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
    const reason = typeof code === 'number' ? { kind: 'status', status: code } : { kind: errorKindOf(error) };
    logger.warn('metrics could not be sent', { exports: this.#unreported, ...reason });
    this.#reportedAt = now;
    this.#unreported = 0;
  }
}
