import { GaugeObservers } from '@keelson/core/metrics';
import type { LabelSets, PrometheusLabels } from './label-sets.js';

/** Reads all observers of one gauge. What they observe with the same labels is added up. */
export class GaugeReader extends GaugeObservers {
  readonly #labels: LabelSets;

  constructor(labels: LabelSets, onFailure: (error: unknown) => void) {
    super(onFailure);
    this.#labels = labels;
  }

  read(): ReadonlyMap<PrometheusLabels, number> {
    const values = new Map<PrometheusLabels, number>();
    this.#labels.clear();
    this.forEach(({ value, labels }) => {
      const set = this.#labels.of(labels);
      values.set(set, (values.get(set) ?? 0) + value);
    });
    return values;
  }
}
