import type { Observation } from '../contract/slots/metrics.js';

type Observe = () => readonly Observation[];

/** All that observe one gauge. */
export class GaugeObservers {
  readonly #onFailure: (error: unknown) => void;
  readonly #observers = new Set<{ readonly observe: Observe; hasFailed: boolean }>();

  /** `onFailure` is called once for each observer that throws. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  add(observe: Observe): Disposable {
    const observer = { observe, hasFailed: false };
    this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  /** Passes on what they observe now, without values that are not finite. */
  forEach(visit: (observation: Observation) => void): void {
    for (const observer of this.#observers) {
      try {
        for (const observation of observer.observe()) if (Number.isFinite(observation.value)) visit(observation);
      } catch (error) {
        if (observer.hasFailed) continue;
        observer.hasFailed = true;
        this.#onFailure(error);
      }
    }
  }
}
