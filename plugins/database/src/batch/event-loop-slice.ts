import { setImmediate as turn } from 'node:timers/promises';

/** Longest time in milliseconds for which a loop keeps the event loop from its timers and sockets. */
const sliceMs = 10;

/**
 * Keeps a loop that waits for nothing from starving the event loop: timers, and with them deadlines, fire only between
 * its turns. Measured in real time, whatever the clock of the service says: it is the process that must not block.
 */
export class EventLoopSlice {
  #startedAt = performance.now();

  /** The loop has held the event loop for its slice of time: let others go on before the next step. */
  get isUsedUp(): boolean {
    return performance.now() - this.#startedAt >= sliceMs;
  }

  /** Resolves in a later turn of the event loop, when timers that are due have fired. */
  async next(): Promise<void> {
    await turn();
    this.#startedAt = performance.now();
  }
}
