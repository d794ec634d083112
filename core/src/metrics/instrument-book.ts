import { KeelsonError } from '../contract/keelson-error.js';
import type { GaugeOptions, HistogramOptions, InstrumentOptions } from '../contract/slots/metrics.js';

export type InstrumentKind = 'counter' | 'histogram' | 'gauge';

/** One name, and what was made of it. */
export interface Instrument<Made> {
  readonly kind: InstrumentKind;
  readonly options: InstrumentOptions & HistogramOptions & GaugeOptions;
  readonly made: Made;
}

/** The instruments of one implementation of `Metrics`: each name stands for one. */
export class InstrumentBook<Made> {
  readonly #instruments = new Map<string, Instrument<Made>>();

  /**
   * Returns what was made under the name of `options`, and calls `make` for a name that is new.
   *
   * @throws KeelsonError `METRICS_INSTRUMENT_DIFFERENT` when the name stands for another kind, unit, labels or buckets.
   */
  of(kind: InstrumentKind, options: Instrument<Made>['options'], make: () => Made): Made {
    const known = this.#instruments.get(options.name);
    if (known === undefined) {
      const made = make();
      this.#instruments.set(options.name, { kind, options, made });
      return made;
    }
    const differences = differencesBetween(known, { kind, options });
    if (differences.length > 0) throw instrumentDifferent(options.name, differences);
    return known.made;
  }

  get(name: string): Instrument<Made> | undefined {
    return this.#instruments.get(name);
  }

  /** In the order in which they were first asked for. */
  all(): readonly Instrument<Made>[] {
    return [...this.#instruments.values()];
  }
}

type Declared = Pick<Instrument<unknown>, 'kind' | 'options'>;

const facets: Readonly<Record<string, (declared: Declared) => string>> = {
  kind: ({ kind, options }) => (options.monotonic === true ? `monotonic ${kind}` : kind),
  unit: ({ options }) => options.unit,
  labels: ({ options }) => [...(options.labels ?? [])].sort().join(', '),
  buckets: ({ options }) => options.buckets?.join(', ') ?? '',
};

function differencesBetween(known: Declared, asked: Declared): readonly string[] {
  return Object.entries(facets)
    .filter(([, read]) => read(known) !== read(asked))
    .map(([facet, read]) => `${facet} "${read(known)}" and "${read(asked)}"`);
}

function instrumentDifferent(name: string, differences: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'METRICS_INSTRUMENT_DIFFERENT',
    message: `The instrument ${name} was declared twice, with ${differences.join(', with ')}.`,
    hint: 'Declare it once and share it, or give one of the two another name.',
    facts: { name, differences },
  });
}
