import type { Clock, Deadline } from '@keelson/core';
import type { BulkheadOptions } from './options.js';
import { WaitingRoom } from './waiting-room.js';

/** Limits how many calls run at once; the others queue for a place, first come, first served. */
export class Bulkhead {
  #options: BulkheadOptions;
  readonly #room: WaitingRoom<void>;
  #running = 0;

  constructor(options: BulkheadOptions, clock: Clock) {
    this.#options = options;
    this.#room = new WaitingRoom(clock);
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#room.size;
  }

  /** No place is free and none may be queued for. */
  get full(): boolean {
    return !this.#hasPlace() && this.#room.size >= this.#options.maxQueuedCalls;
  }

  /** Goes by `options` from now on. Calls that run are let finish; those that queue are let in as far as it allows. */
  configure(options: BulkheadOptions): void {
    this.#options = options;
    while (this.#room.size > 0 && this.tryEnter()) this.#room.grant();
  }

  /** Takes a place at once when one is free. */
  tryEnter(): boolean {
    if (!this.#hasPlace()) return false;
    this.#running++;
    return true;
  }

  /** Resolves once a place has been taken. Rejects as `WaitingRoom.wait` does. */
  enter(deadline: Deadline, signal: AbortSignal | undefined): Promise<void> {
    return this.tryEnter() ? Promise.resolve() : this.#room.wait(deadline, signal);
  }

  /** Gives a place back: to the one who has queued longest, when somebody does. */
  leave(): void {
    this.#running--;
    if (this.#room.size > 0 && this.tryEnter()) this.#room.grant();
  }

  rejectAll(reason: () => unknown): void {
    this.#room.rejectAll(reason);
  }

  #hasPlace(): boolean {
    const { maxConcurrentCalls } = this.#options;
    return maxConcurrentCalls === 0 || this.#running < maxConcurrentCalls;
  }
}
