import type { Clock, Deadline, Timer } from '@keelson/core';
import type { CircuitBreaker, Permit } from './circuit-breaker.js';
import type { WaitingOptions } from './options.js';
import { WaitingRoom } from './waiting-room.js';

/**
 * Queue of the calls that wait while the breaker is open.
 *
 * Waiting sends nothing and sets no timer of its own: one wake-up, for the end of the break, lets the first of them try
 * as probes. Once the target is back the others follow in batches that double, so that it is not overrun.
 */
export class BreakerQueue {
  readonly #breaker: CircuitBreaker;
  #options: WaitingOptions;
  readonly #clock: Clock;
  readonly #room: WaitingRoom<Permit>;
  #wakeUp: Timer | undefined;
  #batch: number;
  #nextBatchAt = 0;

  constructor(breaker: CircuitBreaker, options: WaitingOptions, clock: Clock) {
    this.#breaker = breaker;
    this.#options = options;
    this.#clock = clock;
    this.#room = new WaitingRoom(clock);
    this.#batch = options.releaseBatch;
  }

  /** Calls that wait now. */
  get waiting(): number {
    return this.#room.size;
  }

  get full(): boolean {
    return this.#room.size >= this.#options.maxWaiters;
  }

  configure(options: WaitingOptions): void {
    this.#options = options;
  }

  /** Resolves with a permit, which must be settled. Rejects as `WaitingRoom.wait` does. */
  wait(deadline: Deadline, signal: AbortSignal | undefined): Promise<Permit> {
    const granted = this.#room.wait(deadline, signal);
    if (this.#wakeUp === undefined) this.#setWakeUp();
    return granted;
  }

  /** Releases waiting calls. Must be called when the breaker may have changed its state. */
  letGo(): void {
    if (this.#breaker.state === 'closed') this.#letGoBatch();
    else this.#letGoAdmitted(Number.POSITIVE_INFINITY);
    this.#setWakeUp();
  }

  rejectAll(reason: () => unknown): void {
    this.#room.rejectAll(reason);
    this.#setWakeUp();
  }

  #letGoBatch(): void {
    const now = this.#clock.now();
    if (now < this.#nextBatchAt) return;
    this.#letGoAdmitted(this.#batch);
    this.#batch *= 2;
    this.#nextBatchAt = now + this.#options.releaseIntervalMs;
  }

  #letGoAdmitted(most: number): void {
    for (let count = 0; count < most && this.#room.size > 0; count++) {
      const permit = this.#breaker.admit();
      if (permit === undefined) return;
      // A listener of the breaker's change may have sent the last waiter away.
      if (!this.#room.grant(permit)) this.#breaker.settle(permit, { availability: 'unknown', durationMs: 0 });
    }
  }

  #setWakeUp(): void {
    this.#wakeUp?.cancel();
    this.#wakeUp = undefined;
    if (this.#room.size === 0 || this.#breaker.state !== 'closed') this.#startOver();
    if (this.#room.size === 0) return;
    const inMs = Math.max(this.#breaker.askAgainInMs(), this.#nextBatchAt - this.#clock.now());
    if (inMs === Number.POSITIVE_INFINITY) return;
    this.#wakeUp = this.#clock.schedule(inMs, () => this.letGo(), { keepAlive: true });
  }

  #startOver(): void {
    this.#batch = this.#options.releaseBatch;
    this.#nextBatchAt = 0;
  }
}
