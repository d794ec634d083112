import type { Clock } from '../contract/clock.js';
import type { Deadline } from '../contract/deadline.js';
import { deadlinePassed } from './running-attempt.js';

/** The longest turn: work that is slow, or waits for a call of its own that met a conflict, must not block the others. */
const longestTurnMs = 1_000;

/** Ends a turn, once; further calls change nothing. */
export type Turn = () => void;

/**
 * Calls to one target that met a conflict take turns in this process, first come, first served: calls that keep undoing
 * each other would spend most of their attempts on nothing. A call that meets no conflict never comes here.
 */
export class ConflictLane {
  readonly #clock: Clock;
  readonly #waiting = new Set<(turn: Turn) => void>();
  #taken = false;
  #waits = new AbortController();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with `deadlinePassed`, the reason of `signal`, or that of `endWaits` or `close`. */
  async enter(deadline: Deadline, signal: AbortSignal | undefined): Promise<Turn> {
    const ended = this.#endedBy(signal);
    ended.throwIfAborted();
    if (!this.#taken) return this.#begin();
    return await this.#queue(deadline, ended);
  }

  /** Waits for `ms`. Rejects as `enter` does, but has no deadline. */
  async pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#clock.sleep(ms, this.#endedBy(signal));
  }

  endWaits(reason: unknown): void {
    const waits = this.#waits;
    if (!this.#closed) this.#waits = new AbortController();
    waits.abort(reason);
  }

  /** No call is let in any more, and waiting calls reject with `reason`. */
  close(reason: unknown): void {
    this.#closed = true;
    this.endWaits(reason);
  }

  #endedBy(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#waits.signal : AbortSignal.any([this.#waits.signal, signal]);
  }

  #queue(deadline: Deadline, ended: AbortSignal): Promise<Turn> {
    const { promise, resolve: grant, reject } = Promise.withResolvers<Turn>();
    const giveUp = (reason: unknown) => {
      this.#waiting.delete(grant);
      reject(reason);
    };
    const onEnd = () => giveUp(ended.reason);
    const leftMs = deadline.remainingMs();
    const timer = Number.isFinite(leftMs)
      ? this.#clock.schedule(leftMs, () => giveUp(deadlinePassed), { keepAlive: true })
      : undefined;
    ended.addEventListener('abort', onEnd, { once: true });
    this.#waiting.add(grant);
    return promise.finally(() => {
      ended.removeEventListener('abort', onEnd);
      timer?.cancel();
    });
  }

  #begin(): Turn {
    this.#taken = true;
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      timer.cancel();
      this.#passOn();
    };
    const timer = this.#clock.schedule(longestTurnMs, end);
    return end;
  }

  #passOn(): void {
    this.#taken = false;
    const [grant] = this.#waiting;
    if (grant === undefined) return;
    this.#waiting.delete(grant);
    grant(this.#begin());
  }
}
