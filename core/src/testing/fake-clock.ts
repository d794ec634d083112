import { type Clock, sleepOn, type Timer } from '../contract/clock.js';

interface Pending {
  readonly at: number;
  readonly fire: () => void;
}

/**
 * A clock that stands still until it is pushed.
 *
 * `now()` starts at 0 and `date()` at the given start (default 2026-01-01T00:00:00Z).
 */
export class FakeClock implements Clock {
  readonly #startedAt: number;
  readonly #pending = new Set<Pending>();
  #now = 0;

  constructor(startsAt: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#startedAt = startsAt.getTime();
  }

  /** How many sleeps and timers are set: 0 proves that nothing was left behind. */
  get pending(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(this.#startedAt + this.#now);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  schedule(ms: number, callback: () => void): Timer {
    const entry: Pending = { at: this.#now + Math.max(0, ms), fire: callback };
    this.#pending.add(entry);
    return { cancel: () => this.#pending.delete(entry) };
  }

  /**
   * Moves time by `ms` and fires the timers that fall due, in their order, also timers that are set meanwhile. Before the
   * next timer fires, the code that awaited the previous one runs as far as it can without real I/O.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.at);
      this.#pending.delete(next);
      next.fire();
      await settle();
    }
    this.#now = until;
  }

  #next(until: number): Pending | undefined {
    let first: Pending | undefined;
    // In the order in which they were set: of those that fall due at once the first goes first.
    for (const entry of this.#pending) if (entry.at <= until && !(first && first.at <= entry.at)) first = entry;
    return first;
  }
}

/** Lets every promise that is already settled run its continuations: a macrotask comes after all of them. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
