import { type ServiceToken, serviceToken } from './token.js';

export type LifecyclePhase = 'starting' | 'ready' | 'stopping' | 'stopped';

/** Where the service is in its life. The kernel moves it; everyone else looks. */
export interface Lifecycle {
  readonly phase: LifecyclePhase;
  /** Aborts when the stop begins, also during a start. */
  readonly stopping: AbortSignal;
  /** Told of each move, in order. Disposing of the result ends it. */
  onPhase(listener: (phase: LifecyclePhase) => void): Disposable;
}

export const Lifecycle: ServiceToken<Lifecycle> = serviceToken('@keelson/core/Lifecycle');

const next: Readonly<Record<LifecyclePhase, readonly LifecyclePhase[]>> = {
  starting: ['ready', 'stopping'],
  ready: ['stopping'],
  stopping: ['stopped'],
  stopped: [],
};

/** The lifecycle in the hands of the kernel. */
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
    // A wrapper of its own, so that a listener added twice is told twice and removed once.
    const entry = (phase: LifecyclePhase) => listener(phase);
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => this.#listeners.delete(entry) };
  }

  /** Moves on; a listener that throws keeps nobody from being told. */
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
