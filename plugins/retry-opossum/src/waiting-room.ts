import type { Clock, Deadline, Timer } from '@keelson/core';
import { DeadlineQueue, type Due } from './deadline-queue.js';

interface Waiter<T> extends Due {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly leave: () => void;
}

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
      const onAbort = () => {
        this.#remove(waiter);
        reject(signal?.reason);
      };
      const leave = signal === undefined ? stay : () => signal.removeEventListener('abort', onAbort);
      const waiter: Waiter<T> = { at: deadline.at, place: -1, resolve, reject, leave };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(waiter);
      this.#deadlines.add(waiter);
      this.#setTimer();
    });
  }

  /** Gives `value` to the one who has waited longest; false when nobody waits. */
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

  #remove(waiter: Waiter<T>): void {
    waiter.leave();
    this.#queue.delete(waiter);
    this.#deadlines.delete(waiter);
    if (this.#queue.size === 0) this.#setTimer();
  }

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

  /** Comes too early when the caller it was set for has left; then it is only set anew. */
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

function stay(): void {}
