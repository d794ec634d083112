import type { Clock } from '../contract/clock.js';

const shortestMs = 1;
const longestMemory = 1_000;

interface Span {
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Keeps when hooks kept the process from doing anything else: from their call until they first waited. There is one thread,
 * so that meanwhile the time of everybody else went on without a fault of theirs.
 */
export class Blocking {
  readonly #clock: Clock;
  readonly #spans: Span[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `work`, and counts what passes until it returns for `key`. */
  watch<T>(key: string, work: () => T): T {
    const from = this.#clock.now();
    try {
      return work();
    } finally {
      this.#keep({ key, from, to: this.#clock.now() });
    }
  }

  /** How long each plugin has blocked between two times, in milliseconds by key. */
  between(from: number, to: number): Map<string, number> {
    const blocked = new Map<string, number>();
    for (const span of this.#spans) {
      const overlap = Math.min(span.to, to) - Math.max(span.from, from);
      if (overlap > 0) blocked.set(span.key, (blocked.get(span.key) ?? 0) + overlap);
    }
    return blocked;
  }

  /** Drops short stalls, and the oldest ones in a service that runs for months. */
  #keep(span: Span): void {
    if (span.to - span.from < shortestMs) return;
    this.#spans.push(span);
    if (this.#spans.length > longestMemory) this.#spans.shift();
  }
}
