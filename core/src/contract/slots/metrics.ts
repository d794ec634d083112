import { type ServiceToken, serviceToken } from '../token.js';

/** Low in cardinality: never an id, a path with an id in it, or a user's value. */
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

export interface Counter {
  add(value: number, labels?: Labels): void;
}

export interface Histogram {
  record(value: number, labels?: Labels): void;
}

export interface Observation {
  readonly value: number;
  readonly labels?: Labels;
}

export interface Metrics {
  /** Returns the counter of that name, the same one on every call. */
  counter(options: InstrumentOptions): Counter;
  histogram(options: InstrumentOptions & { readonly buckets?: readonly number[] }): Histogram;
  /** Registers a gauge, whose value is read at each collection. Disposing of the result removes it. */
  gauge(options: InstrumentOptions, observe: () => readonly Observation[]): Disposable;
}

export const Metrics: ServiceToken<Metrics> = serviceToken('@keelson/core/Metrics');

const silentInstrument = { add() {}, record() {} };

/** Bound when no metrics are configured. */
export const silentMetrics: Metrics = {
  counter: () => silentInstrument,
  histogram: () => silentInstrument,
  gauge: () => ({ [Symbol.dispose]() {} }),
};
