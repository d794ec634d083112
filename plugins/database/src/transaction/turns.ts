/** One piece of work at a time, in the order in which they came. */
export class Turns {
  #running: Promise<void> | undefined;

  get busy(): boolean {
    return this.#running !== undefined;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running !== undefined) await this.#running;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running = promise;
    try {
      return await work();
    } finally {
      this.#running = undefined;
      resolve();
    }
  }
}
