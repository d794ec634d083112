import { GaugeObservers } from '@keelson/core/metrics';
import type { Attributes } from '@opentelemetry/api';
import type { DeclaredLabels } from './labels.js';

/** All that observe one gauge. What they observe with the same labels is added up. */
export class ObservedGauge extends GaugeObservers {
  readonly #labels: DeclaredLabels;

  constructor(labels: DeclaredLabels, onFailure: (error: unknown) => void) {
    super(onFailure);
    this.#labels = labels;
  }

  read(): Iterable<{ readonly attributes: Attributes; readonly value: number }> {
    const sums = new Map<string, { readonly attributes: Attributes; value: number }>();
    this.forEach(({ value, labels }) => {
      const attributes = this.#labels.of(labels);
      const text = JSON.stringify(attributes);
      const sum = sums.get(text) ?? { attributes, value: 0 };
      sum.value += value;
      sums.set(text, sum);
    });
    return sums.values();
  }
}
