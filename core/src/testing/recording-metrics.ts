import type { Counter, Histogram, InstrumentOptions, Labels, Metrics, Observation } from '../contract/slots/metrics.js';

type Kind = 'counter' | 'histogram' | 'gauge';

interface Instrument {
  readonly kind: Kind;
  readonly options: InstrumentOptions;
  readonly recorded: Observation[];
  readonly observers: Set<() => readonly Observation[]>;
}

/**
 * Metrics that keep their values.
 *
 * Stricter than the contract, so that a mistake shows in a test and not on a dashboard: a label that was not declared,
 * a counter that goes down and one name used for two kinds of instrument throw.
 */
export class RecordingMetrics implements Metrics {
  readonly #instruments = new Map<string, Instrument>();

  /**
   * The sum of a counter, or of what a gauge reads now, over every series that carries `labels`; undefined when there is
   * no such series.
   */
  value(name: string, labels: Labels = {}): number | undefined {
    const values = this.recorded(name, labels);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  }

  /** Everything a histogram recorded, or a counter was given, under `labels`, in order. */
  recorded(name: string, labels: Labels = {}): readonly number[] {
    return this.series(name)
      .filter(observation => Object.entries(labels).every(([key, value]) => observation.labels?.[key] === value))
      .map(observation => observation.value);
  }

  /** Every observation of an instrument with its labels. */
  series(name: string): readonly Observation[] {
    const instrument = this.#instruments.get(name);
    if (instrument === undefined) return [];
    const read = [...instrument.observers].flatMap(observe => observe());
    for (const { labels } of read) checkLabels(instrument.options, labels);
    return [...instrument.recorded, ...read];
  }

  /** What has been asked for, in order. */
  instruments(): readonly InstrumentOptions[] {
    return [...this.#instruments.values()].map(instrument => instrument.options);
  }

  counter(options: InstrumentOptions): Counter {
    const instrument = this.#instrument('counter', options);
    return {
      add(value, labels) {
        if (!(value >= 0)) throw new Error(`The counter ${options.name} cannot add ${value}.`);
        record(instrument, value, labels);
      },
    };
  }

  histogram(options: InstrumentOptions & { readonly buckets?: readonly number[] }): Histogram {
    const instrument = this.#instrument('histogram', options);
    return { record: (value, labels) => record(instrument, value, labels) };
  }

  gauge(options: InstrumentOptions, observe: () => readonly Observation[]): Disposable {
    const { observers } = this.#instrument('gauge', options);
    observers.add(observe);
    return { [Symbol.dispose]: () => void observers.delete(observe) };
  }

  #instrument(kind: Kind, options: InstrumentOptions): Instrument {
    const existing = this.#instruments.get(options.name);
    if (existing !== undefined) {
      if (existing.kind !== kind)
        throw new Error(`${options.name} is a ${existing.kind} and was asked for as a ${kind}.`);
      return existing;
    }
    const instrument: Instrument = { kind, options, recorded: [], observers: new Set() };
    this.#instruments.set(options.name, instrument);
    return instrument;
  }
}

function record(instrument: Instrument, value: number, labels: Labels | undefined): void {
  checkLabels(instrument.options, labels);
  instrument.recorded.push(labels === undefined ? { value } : { value, labels });
}

function checkLabels(options: InstrumentOptions, labels: Labels = {}): void {
  const undeclared = Object.keys(labels).filter(label => !options.labels?.includes(label));
  if (undeclared.length > 0) throw new Error(`${options.name} does not declare the label ${undeclared.join(', ')}.`);
}
