import { type ServiceToken, serviceToken } from './token.js';

export type LifecyclePhase = 'starting' | 'ready' | 'stopping' | 'stopped';

/** The phase of the service. Only the kernel changes it; plugins read it. */
export interface Lifecycle {
  readonly phase: LifecyclePhase;
  /** Aborts when the stop begins, also during a start. */
  readonly stopping: AbortSignal;
  /** Calls `listener` after each change of phase, in order. Disposing of the result removes the listener. */
  onPhase(listener: (phase: LifecyclePhase) => void): Disposable;
}

export const Lifecycle: ServiceToken<Lifecycle> = serviceToken('@keelson/core/Lifecycle');

const next: Readonly<Record<LifecyclePhase, readonly LifecyclePhase[]>> = {
  starting: ['ready', 'stopping'],
  ready: ['stopping'],
  stopping: ['stopped'],
  stopped: [],
};

/** The lifecycle with the methods that only the kernel calls. */
export class LifecycleControl implements Lifecycle {
  readonly #controller = new AbortController();
  readonly #listeners = new Set<(phase: LifecyclePhase) => void>();
  readonly #onListenerError: (error: unknown) => void;
  #phase: LifecyclePhase = 'starting';

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  get phase(): LifecyclePhase {
    return this.#phase;
  }

  get stopping(): AbortSignal {
    return this.#controller.signal;
  }

  onPhase(listener: (phase: LifecyclePhase) => void): Disposable {
    // A wrapper per call, so that a listener added twice is called twice and removed once.
    const entry = (phase: LifecyclePhase) => listener(phase);
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => this.#listeners.delete(entry) };
  }

  /** Changes the phase and calls every listener, also after one of them throws. */
  move(to: LifecyclePhase, reason?: unknown): void {
    if (!next[this.#phase].includes(to)) throw new Error(`bug: the lifecycle cannot go from ${this.#phase} to ${to}`);
    this.#phase = to;
    if (to === 'stopping') this.#controller.abort(reason);
    for (const listener of [...this.#listeners]) {
      try {
        listener(to);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
