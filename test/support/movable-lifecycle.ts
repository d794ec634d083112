import type { Lifecycle, LifecyclePhase } from '@keelson/core';

/** A lifecycle that the test moves, to any phase at any time. */
export class MovableLifecycle implements Lifecycle {
  phase: LifecyclePhase = 'starting';
  readonly #controller = new AbortController();
  readonly #listeners = new Set<(phase: LifecyclePhase) => void>();

  get stopping(): AbortSignal {
    return this.#controller.signal;
  }

  /** How many listeners it has. */
  get listeners(): number {
    return this.#listeners.size;
  }

  onPhase(listener: (phase: LifecyclePhase) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  move(phase: LifecyclePhase): void {
    this.phase = phase;
    if (phase === 'stopping') this.#controller.abort();
    for (const listener of this.#listeners) listener(phase);
  }
}
