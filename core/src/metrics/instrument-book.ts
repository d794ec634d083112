import { KeelsonError } from '../contract/keelson-error.js';
import type { GaugeOptions, HistogramOptions, InstrumentOptions } from '../contract/slots/metrics.js';

export type InstrumentKind = 'counter' | 'histogram' | 'gauge';

/** One name, and what it stands for. */
export interface Declaration {
  readonly kind: InstrumentKind;
  readonly options: InstrumentOptions & Pick<HistogramOptions, 'buckets'> & Pick<GaugeOptions, 'monotonic'>;
}

/** The instruments of one implementation of `Metrics`: each name stands for one. */
export class InstrumentBook {
  readonly #declared = new Map<string, Declaration>();

  /**
   * Keeps a declaration under its name, unless the same one is there already.
   *
   * @throws KeelsonError `METRICS_INSTRUMENT_DIFFERENT` when the name stands for another kind, unit, labels or buckets.
   */
  declare(kind: InstrumentKind, options: Declaration['options']): void {
    const known = this.#declared.get(options.name);
    if (known === undefined) {
      this.#declared.set(options.name, { kind, options });
      return;
    }
    const differences = differencesBetween(known, { kind, options });
    if (differences.length > 0) throw instrumentDifferent(options.name, differences);
  }

  get(name: string): Declaration | undefined {
    return this.#declared.get(name);
  }

  /** In the order in which they were first declared. */
  all(): readonly Declaration[] {
    return [...this.#declared.values()];
  }
}

const facets: Readonly<Record<string, (declared: Declaration) => string>> = {
  kind: ({ kind, options }) => (options.monotonic === true ? `monotonic ${kind}` : kind),
  unit: ({ options }) => options.unit,
  labels: ({ options }) => [...(options.labels ?? [])].sort().join(', '),
  buckets: ({ options }) => options.buckets?.join(', ') ?? '',
};

function differencesBetween(known: Declaration, asked: Declaration): readonly string[] {
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
