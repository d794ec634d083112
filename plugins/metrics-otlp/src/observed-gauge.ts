import type { Observation } from '@keelson/core';

type Observe = () => readonly Observation[];

/** All that observe one gauge. What they observe with the same labels is added up. */
export class ObservedGauge<Key> {
  readonly #keyOf: (observation: Observation) => readonly [text: string, key: Key];
  readonly #onFailure: (error: unknown) => void;
  readonly #observers = new Set<{ readonly observe: Observe; hasFailed: boolean }>();

  /** `onFailure` is called once for each observer that throws. */
  constructor(
    keyOf: (observation: Observation) => readonly [text: string, key: Key],
    onFailure: (error: unknown) => void,
  ) {
    this.#keyOf = keyOf;
    this.#onFailure = onFailure;
  }

  add(observe: Observe): Disposable {
    const observer = { observe, hasFailed: false };
    this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  read(): readonly { readonly key: Key; readonly value: number }[] {
    const sums = new Map<string, { readonly key: Key; value: number }>();
    for (const observer of this.#observers) {
      try {
        for (const observation of observer.observe()) {
          if (!Number.isFinite(observation.value)) continue;
          const [text, key] = this.#keyOf(observation);
          const sum = sums.get(text) ?? { key, value: 0 };
          sum.value += observation.value;
          sums.set(text, sum);
        }
      } catch (error) {
        if (observer.hasFailed) continue;
        observer.hasFailed = true;
        this.#onFailure(error);
      }
    }
    return [...sums.values()];
  }
}
