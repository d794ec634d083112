import type { Clock, Deadline } from '@keelson/core';

/** The right to use one connection. Given back once; later calls do nothing. */
export interface Permit {
  release(): void;
}

export interface PermitsOptions {
  readonly max: number;
  /** Callers that may wait; one more is refused at once. */
  readonly maxWaiting: number;
  readonly clock: Clock;
  readonly onTimeout: (waitedMs: number) => Error;
  readonly onFull: () => Error;
}

interface Waiter {
  readonly admit: (permit: Permit) => void;
  readonly refuse: (error: unknown) => void;
}

/** Lets at most `max` in at a time; the rest wait in the order in which they came. Knows nothing of connections. */
export class Permits {
  readonly #options: PermitsOptions;
  readonly #waiters = new Set<Waiter>();
  #taken = 0;
  #closed: { readonly error: unknown } | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: PermitsOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  acquire(deadline: Deadline, signal?: AbortSignal): Promise<Permit> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#taken < this.#options.max) return Promise.resolve(this.#take());
    if (this.#waiters.size >= this.#options.maxWaiting) return Promise.reject(this.#options.onFull());
    return this.#wait(deadline, signal);
  }

  /** Refuses everyone from now on, and those who wait, with `error`. Resolves when all permits are back. */
  close(error: unknown): Promise<void> {
    this.#closed = { error };
    for (const waiter of [...this.#waiters]) waiter.refuse(error);
    if (this.#taken === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.#onIdle = resolve;
    });
  }

  #wait(deadline: Deadline, signal?: AbortSignal): Promise<Permit> {
    const { clock, onTimeout } = this.#options;
    const since = clock.now();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        admit: permit => {
          leave();
          resolve(permit);
        },
        refuse: error => {
          leave();
          reject(error);
        },
      };
      const onAbort = () => waiter.refuse(signal?.reason);
      const remainingMs = deadline.remainingMs();
      const timer = Number.isFinite(remainingMs)
        ? clock.schedule(remainingMs, () => waiter.refuse(onTimeout(clock.now() - since)), { keepAlive: true })
        : undefined;
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  #take(): Permit {
    this.#taken += 1;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#taken -= 1;
        this.#next();
      },
    };
  }

  #next(): void {
    const [waiter] = this.#waiters;
    if (waiter !== undefined && this.#taken < this.#options.max) waiter.admit(this.#take());
    if (this.#taken === 0) this.#onIdle?.();
  }
}
