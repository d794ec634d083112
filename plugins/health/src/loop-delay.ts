import type { Clock, Timer } from '@keelson/core';

/** Pause between two looks, in ms. */
const lookMs = 100;

/**
 * Measures how late the event loop is. The histogram of Node is no help here: read and emptied right after a long block, it has
 * not seen that block yet, and never will.
 */
export class LoopDelay implements Disposable {
  readonly #clock: Clock;
  #dueAt = 0;
  #longestMs = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#look();
  }

  /** The longest delay since the last call, in ms; one that has not ended yet included. */
  takeMs(): number {
    const longestMs = Math.max(this.#longestMs, this.#lateMs());
    this.#longestMs = 0;
    return Math.round(longestMs);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #look(): void {
    this.#dueAt = this.#clock.now() + lookMs;
    this.#timer = this.#clock.schedule(lookMs, () => {
      this.#longestMs = Math.max(this.#longestMs, this.#lateMs());
      this.#look();
    });
  }

  #lateMs(): number {
    return Math.max(0, this.#clock.now() - this.#dueAt);
  }
}
