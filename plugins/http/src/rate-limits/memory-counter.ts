import type { Clock } from '@keelson/core';
import type { Count, Counter } from './counter.js';
import type { RateLimitOptions } from './options.js';

interface Window {
  requests: number;
  readonly endsAt: number;
}

/** Callers whose windows are kept apart at the same time; all others share one. A client can make up any number of them. */
export const mostCallers = 50_000;
const allOthers = 'all others';

/** Counts in this process. */
export class MemoryCounter implements Counter {
  readonly #options: Pick<RateLimitOptions, 'limit' | 'windowMs'>;
  readonly #clock: Clock;
  /** All windows are equally long, so the first ends first. */
  readonly #windows = new Map<string, Window>();

  constructor(options: Pick<RateLimitOptions, 'limit' | 'windowMs'>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Windows that are kept. */
  get size(): number {
    return this.#windows.size;
  }

  count(key: string): Count {
    const now = this.#clock.now();
    this.#forgetEnded(now);
    const window = this.#windowOf(key, now);
    window.requests += 1;
    const { limit, windowMs } = this.#options;
    // The difference of two times with fractions may be a little more than the window, and the answer would say a second more.
    return { left: limit - window.requests, leftMs: Math.min(windowMs, window.endsAt - now) };
  }

  #windowOf(key: string, now: number): Window {
    const known = this.#windows.get(key);
    if (known !== undefined) return known;
    if (this.#windows.size >= mostCallers && key !== allOthers) return this.#windowOf(allOthers, now);
    const window = { requests: 0, endsAt: now + this.#options.windowMs };
    this.#windows.set(key, window);
    return window;
  }

  #forgetEnded(now: number): void {
    for (const [key, { endsAt }] of this.#windows) {
      if (endsAt > now) return;
      this.#windows.delete(key);
    }
  }
}
