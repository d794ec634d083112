import { type ServiceToken, serviceToken } from '../token.js';

/**
 * Low in cardinality: never an id, a path with an id in it, or a user's value. Freeze an object that recurs and pass the
 * same one again: an implementation may then recognise it without reading it.
 */
export type Labels = Readonly<Record<string, string>>;

export interface InstrumentOptions {
  /** OpenTelemetry name in dots: `db.client.connection.count`. */
  readonly name: string;
  readonly description: string;
  /** UCUM: `s`, `By`, `{connection}`. Durations are in seconds. */
  readonly unit: string;
  /** Every label the instrument may carry. */
  readonly labels?: readonly string[];
}

export interface HistogramOptions extends InstrumentOptions {
  /** Upper bounds, ascending, in `unit`. Default: those of the implementation. */
  readonly buckets?: readonly number[];
}

export interface GaugeOptions extends InstrumentOptions {
  /** The value is a sum since the start that only grows: it is shown as that of a counter. Default false. */
  readonly monotonic?: boolean;
}

export interface Counter {
  /** Never throws. A value that is negative or not finite is left out. */
  add(value: number, labels?: Labels): void;
}

export interface Histogram {
  /** Never throws. A value that is not finite is left out. */
  record(value: number, labels?: Labels): void;
}

export interface Observation {
  readonly value: number;
  readonly labels?: Labels;
}

/** Counts and measures. The number of series of an instrument is bounded, whatever labels it is given. */
export interface Metrics {
  /**
   * True when nothing is measured. Then make no instruments, and read no clock and build no labels for them; look once,
   * when the plugin starts.
   */
  readonly silent?: boolean;
  /**
   * Returns the counter of that name, the same series on every call.
   *
   * @throws KeelsonError `METRICS_INSTRUMENT_DIFFERENT` when the name stands for another kind, unit or set of labels.
   */
  counter(options: InstrumentOptions): Counter;
  /** Returns the histogram of that name. @throws as `counter`, also for other buckets. */
  histogram(options: HistogramOptions): Histogram;
  /**
   * Registers a gauge, whose value is read at each collection. Several parts may register one name: observations with
   * the same labels are added up. When one `observe` throws, only its own observations are missing. Disposing of the result
   * removes the registration.
   *
   * @throws as `counter`.
   */
  gauge(options: GaugeOptions, observe: () => readonly Observation[]): Disposable;
}

export const Metrics: ServiceToken<Metrics> = serviceToken('@keelson/core/Metrics');

const silentInstrument = { add() {}, record() {} };

/** Bound when no metrics are configured. */
export const silentMetrics: Metrics = {
  silent: true,
  counter: () => silentInstrument,
  histogram: () => silentInstrument,
  gauge: () => ({ [Symbol.dispose]() {} }),
};
