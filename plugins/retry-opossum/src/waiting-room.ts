import type { Clock, Deadline, Timer } from '@keelson/core';
import { DeadlineQueue, type Due } from './deadline-queue.js';

/** Thrown to a waiter whose deadline came first. */
export const waitedTooLong = Symbol('waited too long');

/**
 * Callers that wait for something, first come, first served. They share one timer, set for the deadline that comes
 * first; an aborted or late caller leaves neither a timer nor a listener behind.
 */
export class WaitingRoom<T> {
  readonly #clock: Clock;
  readonly #queue = new Set<Waiter<T>>();
  readonly #deadlines = new DeadlineQueue<Waiter<T>>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#queue.size;
  }

  /** Resolves with what is granted. Rejects with `waitedTooLong`, `signal.reason`, or what `rejectAll` was given. */
  wait(deadline: Deadline, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const waiter = new Waiter(deadline.at, resolve, reject, signal, this.#remove);
      signal?.addEventListener('abort', waiter, { once: true });
      this.#queue.add(waiter);
      this.#deadlines.add(waiter);
      this.#setTimer();
    });
  }

  /** Gives `value` to the one who has waited longest; false when no caller waits. */
  grant(value: T): boolean {
    const [waiter] = this.#queue;
    if (waiter === undefined) return false;
    this.#remove(waiter);
    waiter.resolve(value);
    return true;
  }

  rejectAll(reason: () => unknown): void {
    for (const waiter of this.#queue) {
      this.#remove(waiter);
      waiter.reject(reason());
    }
  }

  readonly #remove = (waiter: Waiter<T>): void => {
    waiter.signal?.removeEventListener('abort', waiter);
    this.#queue.delete(waiter);
    this.#deadlines.delete(waiter);
    if (this.#queue.size === 0) this.#setTimer();
  };

  #setTimer(): void {
    const at = this.#deadlines.first?.at ?? Number.POSITIVE_INFINITY;
    if (at === Number.POSITIVE_INFINITY) {
      this.#clearTimer();
    } else if (at < this.#timerAt) {
      this.#clearTimer();
      this.#timerAt = at;
      this.#timer = this.#clock.schedule(at - this.#clock.now(), () => this.#expire(), { keepAlive: true });
    }
  }

  #clearTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  /** Comes too early when the caller it was set for has left; then it is only set again. */
  #expire(): void {
    this.#clearTimer();
    const now = this.#clock.now();
    for (let late = this.#deadlines.first; late !== undefined && late.at <= now; late = this.#deadlines.first) {
      this.#remove(late);
      late.reject(waitedTooLong);
    }
    this.#setTimer();
  }
}

/** Listens to its own signal, so that a caller who waits costs no closure but those of its promise. */
class Waiter<T> implements Due {
  readonly at: number;
  place = -1;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly #remove: (waiter: Waiter<T>) => void;

  constructor(
    at: number,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
    signal: AbortSignal | undefined,
    remove: (waiter: Waiter<T>) => void,
  ) {
    this.at = at;
    this.resolve = resolve;
    this.reject = reject;
    this.signal = signal;
    this.#remove = remove;
  }

  handleEvent(): void {
    this.#remove(this);
    this.reject(this.signal?.reason);
  }
}
