/** Work that a caller waits for. */
interface Running {
  /** Rejects the wait with `reason`. */
  readonly abandon: (reason: unknown) => void;
  /** Begins to close it, and resolves when nothing of it is left. */
  readonly ended: () => Promise<unknown>;
}

/** One wait at a time that can be broken off: it rejects at once and ignores later results of its work. */
export class BreakableWait {
  #running: Running | undefined;

  /** A caller waits or reads. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Settles as `work` does, unless it is abandoned before. */
  until<T>(work: Promise<T>): Promise<T> {
    return this.#until(work, () => work, undefined);
  }

  /** Reads `chunks`; busy from the first to the last, also while its reader does something else. */
  async *read<T>(chunks: AsyncIterable<T>): AsyncGenerator<T, undefined> {
    const iterator = chunks[Symbol.asyncIterator]();
    const ended = async () => iterator.return?.();
    let left: { readonly reason: unknown } | undefined;
    const reading: Running = {
      ended,
      abandon: reason => {
        left = { reason };
      },
    };
    try {
      for (;;) {
        const { done, value } = await this.#until(iterator.next(), ended, reading);
        if (done === true) return;
        yield value;
        if (left !== undefined) throw left.reason;
      }
    } finally {
      if (this.#running === reading) await this.until(ended());
    }
  }

  /** Rejects the wait with the reason. Returns a function that closes the work; undefined when no work runs. */
  abandon(reason: () => unknown): (() => Promise<unknown>) | undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    this.#running = undefined;
    running.abandon(reason());
    return running.ended;
  }

  /** `then` runs when `work` has succeeded. */
  #until<T>(work: Promise<T>, ended: () => Promise<unknown>, then: Running | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const running: Running = { abandon: reject, ended };
    const leave = (next: Running | undefined) => {
      if (this.#running === running) this.#running = next;
    };
    this.#running = running;
    // With `resolve` itself at its end, V8 still knows who waits: the trace of a leaked connection needs it.
    work
      .then(
        value => {
          leave(then);
          return value;
        },
        (error: unknown) => {
          leave(undefined);
          throw error;
        },
      )
      .then(resolve, reject);
    return promise;
  }
}
