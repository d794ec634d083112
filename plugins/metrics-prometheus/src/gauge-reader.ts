import type { Observation } from '@keelson/core';
import type { LabelSets, PrometheusLabels } from './label-sets.js';

type Observe = () => readonly Observation[];

/** Reads all observers of one gauge. What they observe with the same labels is added up. */
export class GaugeReader {
  readonly #labels: LabelSets;
  readonly #onFailure: (error: unknown) => void;
  readonly #observers = new Set<{ readonly observe: Observe; hasFailed: boolean }>();

  /** `onFailure` is called once for each observer that throws. */
  constructor(labels: LabelSets, onFailure: (error: unknown) => void) {
    this.#labels = labels;
    this.#onFailure = onFailure;
  }

  add(observe: Observe): Disposable {
    const observer = { observe, hasFailed: false };
    this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  read(): ReadonlyMap<PrometheusLabels, number> {
    const values = new Map<PrometheusLabels, number>();
    this.#labels.clear();
    for (const observer of this.#observers) {
      try {
        for (const { value, labels } of observer.observe()) {
          if (!Number.isFinite(value)) continue;
          const set = this.#labels.of(labels);
          values.set(set, (values.get(set) ?? 0) + value);
        }
      } catch (error) {
        if (observer.hasFailed) continue;
        observer.hasFailed = true;
        this.#onFailure(error);
      }
    }
    return values;
  }
}
