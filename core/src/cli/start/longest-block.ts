/** How often it looks, in milliseconds; a shorter block is not seen. */
const everyMs = 5;

/** A time in which the event loop did not turn, in milliseconds since the process began. */
export interface Block {
  readonly from: number;
  readonly to: number;
}

/** Watches the event loop, and keeps the longest time in which it did not turn. */
export class LoopWatch {
  #turnedAt = performance.now();
  #longest: Block = { from: this.#turnedAt, to: this.#turnedAt };
  readonly #timer = setInterval(() => this.#turn(), everyMs).unref();

  /** Ends the watch, and returns the longest block until now. */
  end(): Block {
    this.#turn();
    clearInterval(this.#timer);
    return this.#longest;
  }

  #turn(): void {
    // The loop was due to turn one interval after it last did.
    const from = this.#turnedAt + everyMs;
    const to = performance.now();
    if (to - from > this.#longest.to - this.#longest.from) this.#longest = { from, to };
    this.#turnedAt = to;
  }
}
