import type { ExportWatch } from '@keelson/otlp';
import type { ExportResult } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InstrumentType,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';

type Exporter = PushMetricExporter & { selectAggregationTemporality(type: InstrumentType): AggregationTemporality };

/** Exports through `exporter`, and lets `watch` see each failure. */
export class WatchedExporter implements PushMetricExporter {
  readonly #exporter: Exporter;
  readonly #watch: ExportWatch;

  constructor(exporter: Exporter, watch: ExportWatch) {
    this.#exporter = exporter;
    this.#watch = watch;
  }

  export(metrics: ResourceMetrics, report: (result: ExportResult) => void): void {
    this.#exporter.export(metrics, this.#watch.watched('metrics', 1, report));
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
}
