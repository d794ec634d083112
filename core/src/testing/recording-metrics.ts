import type {
  Counter,
  GaugeOptions,
  Histogram,
  HistogramOptions,
  InstrumentOptions,
  Labels,
  Metrics,
  Observation,
} from '../contract/slots/metrics.js';
import { type Declaration, InstrumentBook } from '../metrics/instrument-book.js';

interface Recorded {
  readonly observations: Observation[];
  readonly observers: Set<() => readonly Observation[]>;
}

/**
 * Metrics that keep their values.
 *
 * Stricter than the contract, so that a mistake shows in a test and not on a dashboard: a label that was not declared, a
 * counter that goes down, and a value of a counter or a histogram that is not finite throw.
 */
export class RecordingMetrics implements Metrics {
  readonly #book = new InstrumentBook();
  readonly #recorded = new Map<string, Recorded>();

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

  /** Every observation of an instrument with its labels. A gauge whose callback throws leaves its own out. */
  series(name: string): readonly Observation[] {
    const declared = this.#book.get(name);
    if (declared === undefined) return [];
    const { observations, observers } = this.#recordedOf(name);
    const read = [...observers].flatMap(observed);
    for (const { labels } of read) checkLabels(declared.options, labels);
    return [...observations, ...read];
  }

  /** The options of each instrument, in the order of their first declaration. */
  instruments(): readonly InstrumentOptions[] {
    return this.declared().map(({ options }) => options);
  }

  /** The instruments with their kinds, in the order of their declaration. */
  declared(): readonly Declaration[] {
    return this.#book.all();
  }

  counter(options: InstrumentOptions): Counter {
    this.#book.declare('counter', options);
    const { observations } = this.#recordedOf(options.name);
    return {
      add(value, labels) {
        if (!(value >= 0)) throw new Error(`The counter ${options.name} cannot add ${value}.`);
        record(options, observations, value, labels);
      },
    };
  }

  histogram(options: HistogramOptions): Histogram {
    this.#book.declare('histogram', options);
    const { observations } = this.#recordedOf(options.name);
    return { record: (value, labels) => record(options, observations, value, labels) };
  }

  gauge(options: GaugeOptions, observe: () => readonly Observation[]): Disposable {
    this.#book.declare('gauge', options);
    const { observers } = this.#recordedOf(options.name);
    // One for each call, so that a function registered twice is read twice and removed once.
    const entry = () => observe();
    observers.add(entry);
    return { [Symbol.dispose]: () => void observers.delete(entry) };
  }

  #recordedOf(name: string): Recorded {
    const known = this.#recorded.get(name);
    if (known !== undefined) return known;
    const recorded = { observations: [], observers: new Set<() => readonly Observation[]>() };
    this.#recorded.set(name, recorded);
    return recorded;
  }
}

function observed(observe: () => readonly Observation[]): readonly Observation[] {
  try {
    return observe();
  } catch {
    return [];
  }
}

function record(options: InstrumentOptions, into: Observation[], value: number, labels: Labels | undefined): void {
  if (!Number.isFinite(value)) throw new Error(`${options.name} cannot record ${value}.`);
  checkLabels(options, labels);
  // A copy: its caller may change the object for the next value.
  into.push(labels === undefined ? { value } : { value, labels: { ...labels } });
}

function checkLabels(options: InstrumentOptions, labels: Labels = {}): void {
  const undeclared = Object.keys(labels).filter(label => !options.labels?.includes(label));
  if (undeclared.length > 0) throw new Error(`${options.name} does not declare the label ${undeclared.join(', ')}.`);
}
