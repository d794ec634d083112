import type { Clock } from '../contract/clock.js';
import { errorKindOf } from '../contract/error-kind.js';

const minuteMs = 60_000;
/** Kinds that are counted apart; all further ones share one count. */
const mostKinds = 200;
const theRest = 'all other kinds';

interface Count {
  since: number;
  reported: number;
  skipped: number;
}

/** An error that is to be reported. */
export interface Admitted {
  /** Errors of the same kind and operation before it that were not reported, because there were too many. */
  readonly skipped: number;
}

/**
 * Decides which captured errors are reported: each object once, and no more than `perMinute` of one kind and operation, so
 * that an outage does not cost a report for each request.
 */
export class ErrorReports {
  readonly #perMinute: number;
  readonly #clock: Clock;
  readonly #seen = new WeakSet<object>();
  readonly #counts = new Map<string, Count>();

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Undefined for one that is not to be reported. */
  admit(error: unknown, operation: string | undefined): Admitted | undefined {
    if (typeof error === 'object' && error !== null) {
      if (this.#seen.has(error)) return undefined;
      this.#seen.add(error);
    }
    const count = this.#count(`${errorKindOf(error)} ${operation ?? ''}`);
    if (count.reported >= this.#perMinute) {
      count.skipped += 1;
      return undefined;
    }
    const { skipped } = count;
    count.reported += 1;
    count.skipped = 0;
    return { skipped };
  }

  #count(kind: string): Count {
    const key = this.#counts.has(kind) || this.#counts.size < mostKinds ? kind : theRest;
    const now = this.#clock.now();
    const count = this.#counts.get(key) ?? { since: now, reported: 0, skipped: 0 };
    if (now - count.since >= minuteMs) {
      count.since = now;
      count.reported = 0;
    }
    this.#counts.set(key, count);
    return count;
  }
}
