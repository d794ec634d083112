/** Does things in the order they were given, each after its delay, and not while it is held. */
export class DelayedQueue {
  readonly #queue: { dueMs: number; action: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  push(action: () => void, delayMs = 0): void {
    this.#queue.push({ dueMs: performance.now() + delayMs, action });
    this.#run();
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#run();
  }

  /** Forgets what was not done. */
  clear(): void {
    this.#queue.length = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    while (!this.#isHeld && this.#timer === undefined) {
      const next = this.#queue[0];
      if (next === undefined) return;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#wake(), waitMs);
      } else {
        this.#queue.shift();
        next.action();
      }
    }
  }

  #wake(): void {
    this.#timer = undefined;
    this.#run();
  }
}
