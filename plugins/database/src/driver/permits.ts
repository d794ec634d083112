import type { Clock, Deadline } from '@keelson/core';

/** The right to use one connection. Released once; later calls do nothing. */
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

/** What has happened since the start; only ever grows. */
export interface PermitCounters {
  /** Permits given. */
  readonly acquired: number;
  /** Of these, after a wait. */
  readonly waited: number;
  /** Callers whose time was over before their turn. */
  readonly timedOut: number;
  /** Callers turned away because the queue was full. */
  readonly refused: number;
  /** The waits that ended with a permit, by length: the upper bound of each bucket in ms, and the number of waits in it. */
  readonly waitMs: readonly { readonly upTo: number; readonly count: number }[];
}

const waitBounds = [1, 5, 25, 100, 500, 2_500, Number.POSITIVE_INFINITY];

interface Waiter {
  readonly admit: (permit: Permit) => void;
  readonly refuse: (error: unknown) => void;
  before: Waiter | undefined;
  after: Waiter | undefined;
}

/** Lets at most `max` in at a time; the rest wait in the order in which they came. Knows nothing of connections. */
export class Permits {
  readonly #options: PermitsOptions;
  readonly #line = new Line();
  readonly #counted = { acquired: 0, waited: 0, timedOut: 0, refused: 0 };
  readonly #waits = waitBounds.map(upTo => ({ upTo, count: 0 }));
  #taken = 0;
  #suspended = false;
  #closed: { readonly error: unknown } | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: PermitsOptions) {
    this.#options = options;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.length;
  }

  get counters(): PermitCounters {
    return { ...this.#counted, waitMs: this.#waits.map(bucket => ({ ...bucket })) };
  }

  get #free(): boolean {
    return this.#taken < this.#options.max && !this.#suspended;
  }

  /** Lets no caller in until `resume`; callers wait until their deadlines. */
  suspend(): void {
    this.#suspended = true;
  }

  resume(): void {
    this.#suspended = false;
    while (this.#free && this.#line.length > 0) this.#next();
  }

  acquire(deadline: Deadline, signal?: AbortSignal): Promise<Permit> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#free) return Promise.resolve(this.#take());
    if (this.#line.length >= this.#options.maxWaiting) return Promise.reject(this.#refuse());
    return this.#wait(deadline, signal);
  }

  /** Refuses everyone from now on, and those who wait, with `error`. Resolves when all permits are back. */
  close(error: unknown): Promise<void> {
    this.#closed = { error };
    for (let waiter = this.#line.first; waiter !== undefined; waiter = this.#line.first) waiter.refuse(error);
    if (this.#taken === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.#onIdle = resolve;
    });
  }

  #refuse(): Error {
    this.#counted.refused += 1;
    return this.#options.onFull();
  }

  #wait(deadline: Deadline, signal?: AbortSignal): Promise<Permit> {
    const { clock, onTimeout } = this.#options;
    const since = clock.now();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#line.remove(waiter);
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        admit: permit => {
          leave();
          this.#countWait(clock.now() - since);
          resolve(permit);
        },
        refuse: error => {
          leave();
          reject(error);
        },
        before: undefined,
        after: undefined,
      };
      const onAbort = () => waiter.refuse(signal?.reason);
      const onLate = () => {
        this.#counted.timedOut += 1;
        leave();
        reject(onTimeout(clock.now() - since));
      };
      const remainingMs = deadline.remainingMs();
      const timer = Number.isFinite(remainingMs) ? clock.schedule(remainingMs, onLate, { keepAlive: true }) : undefined;
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#line.add(waiter);
    });
  }

  #countWait(ms: number): void {
    this.#counted.waited += 1;
    const bucket = this.#waits.find(({ upTo }) => ms <= upTo);
    if (bucket !== undefined) bucket.count += 1;
  }

  #take(): Permit {
    this.#taken += 1;
    this.#counted.acquired += 1;
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
    const waiter = this.#line.first;
    if (waiter !== undefined && this.#free) waiter.admit(this.#take());
    if (this.#taken === 0) this.#onIdle?.();
  }
}

/**
 * Those who wait, in order. Not a Set: one that changes with each request leaves its earlier tables behind, linked to each
 * other, and with them all that has waited until the next full garbage collection.
 */
class Line {
  #first: Waiter | undefined;
  #last: Waiter | undefined;
  #length = 0;

  get first(): Waiter | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  add(waiter: Waiter): void {
    waiter.before = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.after = waiter;
    this.#last = waiter;
    this.#length += 1;
  }

  /** Of one that is in the line. */
  remove(waiter: Waiter): void {
    const { before, after } = waiter;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    waiter.before = undefined;
    waiter.after = undefined;
    this.#length -= 1;
  }
}
