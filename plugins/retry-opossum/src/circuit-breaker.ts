/** An operator sets `held-open` and `held-closed`; they last until an operator releases the breaker or the process ends. */
export type BreakerState = 'closed' | 'open' | 'half-open' | 'held-open' | 'held-closed';

export const breakerStates: readonly BreakerState[] = ['closed', 'open', 'half-open', 'held-open', 'held-closed'];

/** Permission for one attempt. Must be settled with `settle`, whatever the outcome of the attempt. */
export interface Permit {
  /** True for an attempt that finds out whether the target is back. */
  readonly probe: boolean;
}

/** What an attempt has shown of the target. */
export interface Outcome {
  readonly availability: 'up' | 'down' | 'unknown';
  readonly durationMs: number;
  /** What was thrown. */
  readonly cause?: unknown;
  /** The target asked to be left alone for at least this. */
  readonly retryAfterMs?: number;
}

export interface BreakerMove {
  readonly from: BreakerState;
  readonly to: BreakerState;
  /** The length of the break, when `to` is `open`. */
  readonly breakMs?: number;
  /** The failure that opened it. */
  readonly cause?: unknown;
}

export interface BreakerReport {
  readonly state: BreakerState;
  /** How long it has been in this state. */
  readonly sinceMs: number;
  /** How long it has let less than everything through, however many breaks and probes that took; 0 while closed. */
  readonly notClosedMs: number;
  /** What is left of the break; 0 when there is none, `Infinity` while held open. */
  readonly breakLeftMs: number;
  /** Breaks since it was built. */
  readonly breaks: number;
  /** The last failure that counted against the target; undefined when none has. */
  readonly lastCause: unknown;
}

/**
 * Judges the health of one target by the attempts that finished, and says who may try.
 *
 * Holds no timer and calls no work: the caller of an attempt asks with `admit` and reports with `settle`.
 */
export interface CircuitBreaker {
  readonly state: BreakerState;
  /** What counted last against the target; undefined when nothing has. */
  readonly lastCause: unknown;
  /** Returns a permit for one attempt; undefined while the breaker admits none. */
  admit(): Permit | undefined;
  /**
   * Reports an attempt. An attempt of `slowCallMs` or longer counts as failed; a shorter one with `unknown` counts neither
   * way. A permit from before the last change of state changes nothing, and a probe counts once. While the breaker is closed,
   * all attempts share one permit.
   */
  settle(permit: Permit, outcome: Outcome): void;
  /** Milliseconds in which `admit` certainly admits nothing; 0 when it may admit an attempt, `Infinity` while held open. */
  breakLeftMs(): number;
  /** Milliseconds after which it is worth asking `admit` again even if nothing is settled until then. */
  askAgainInMs(): number;
  /** Holds the breaker open or closed, whatever happens. `undefined` releases it; a released breaker is closed. */
  hold(as: 'open' | 'closed' | undefined): void;
  describe(): BreakerReport;
  /** Lets nothing through from now on. */
  shutdown(): void;
}
