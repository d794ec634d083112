import type { Clock, FailureVerdict } from '@keelson/core';
import { CircuitState, ConsecutiveBreaker, type IBreaker, SamplingBreaker } from 'cockatiel';
import type { BreakerOptions } from './options.js';

/** Permission for one attempt. Must be settled with `settle`, whatever the outcome of the attempt. */
export interface Permit {
  /** True for an attempt that finds out whether the target is back. */
  readonly probe: boolean;
}

type State =
  | { readonly name: 'closed'; readonly permit: Permit }
  | { readonly name: 'open'; readonly until: number }
  | { readonly name: 'half-open'; probe: Permit | undefined; nextProbeAt: number };

export type BreakerState = State['name'];

export const breakerStates: readonly BreakerState[] = ['closed', 'open', 'half-open'];

export interface CockatielBreakerParts {
  readonly options: BreakerOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onMove?: (to: BreakerState, cause: unknown) => void;
}

/**
 * A breaker whose judgement is cockatiel's, which is given verdicts and not calls.
 *
 * cockatiel's strategies decide when failures are too many. The rest of its circuit breaker is not used: it closes on a
 * failure that says nothing of the target, lets callers wait for a probe without regard to their deadlines, and goes by
 * the wall clock.
 */
export class CockatielBreaker {
  readonly #parts: CockatielBreakerParts;
  readonly #inARow: IBreaker | undefined;
  #rate: IBreaker;
  #windowEnd: number;
  #state: State = closed();
  #failedProbes = 0;
  #lastCause: unknown;

  constructor(parts: CockatielBreakerParts) {
    this.#parts = parts;
    const { consecutiveFailures, windowMs } = parts.options;
    this.#inARow = consecutiveFailures > 0 ? new ConsecutiveBreaker(consecutiveFailures) : undefined;
    this.#rate = rateOf(parts.options);
    this.#windowEnd = this.#now() + windowMs;
  }

  get state(): BreakerState {
    return this.#state.name;
  }

  /** What counted last against the target; undefined when nothing has. */
  get lastCause(): unknown {
    return this.#lastCause;
  }

  /** Milliseconds before which `admit` says no for certain; 0 when it may say yes. */
  breakLeftMs(): number {
    return this.#state.name === 'open' ? Math.max(0, this.#state.until - this.#now()) : 0;
  }

  /** Returns a permit for one attempt; undefined while the breaker admits none. */
  admit(): Permit | undefined {
    const state = this.#state;
    if (state.name === 'closed') return state.permit;
    const now = this.#now();
    if (state.name === 'open') {
      if (now < state.until) return undefined;
      this.#move({ name: 'half-open', probe: undefined, nextProbeAt: now });
      return this.admit();
    }
    // A probe that hangs must not keep the breaker half-open for ever.
    if (state.probe !== undefined && now < state.nextProbeAt) return undefined;
    state.probe = { probe: true };
    state.nextProbeAt = now + this.#parts.options.maxBreakMs;
    return state.probe;
  }

  /** `unknown` counts neither way. A permit from before the last change of state, or settled already, changes nothing. */
  settle(permit: Permit, verdict: Pick<FailureVerdict, 'availability' | 'retryAfterMs'>, cause?: unknown): void {
    const state = this.#state;
    if (state.name === 'closed' && permit === state.permit) this.#count(verdict, cause);
    else if (state.name === 'half-open' && permit === state.probe) this.#settleProbe(state, verdict, cause);
  }

  #count({ availability, retryAfterMs }: Pick<FailureVerdict, 'availability' | 'retryAfterMs'>, cause: unknown): void {
    if (availability === 'unknown') return;
    if (this.#now() >= this.#windowEnd) this.#turnWindow();
    if (availability === 'up') {
      this.#rate.success(CircuitState.Closed);
      this.#inARow?.success(CircuitState.Closed);
      return;
    }
    this.#lastCause = cause;
    const isRateHigh = this.#rate.failure(CircuitState.Closed);
    const areTooMany = this.#inARow?.failure(CircuitState.Closed) === true;
    if (isRateHigh || areTooMany) this.#break(retryAfterMs);
  }

  #settleProbe(
    state: State & { name: 'half-open' },
    { availability, retryAfterMs }: Pick<FailureVerdict, 'availability' | 'retryAfterMs'>,
    cause: unknown,
  ): void {
    state.probe = undefined;
    if (availability === 'down') {
      this.#failedProbes++;
      this.#lastCause = cause;
      this.#break(retryAfterMs);
    } else if (availability === 'up') {
      this.#failedProbes = 0;
      this.#inARow?.success(CircuitState.Closed);
      this.#turnWindow();
      this.#move(closed());
    }
  }

  #break(retryAfterMs = 0): void {
    const { options, random } = this.#parts;
    const longest = Math.min(options.maxBreakMs, options.breakMs * 2 ** this.#failedProbes);
    const breakMs = Math.max(longest * (1 - random() / 2), retryAfterMs);
    this.#move({ name: 'open', until: this.#now() + breakMs });
  }

  #move(state: State): void {
    this.#state = state;
    this.#parts.onMove?.(state.name, this.#lastCause);
  }

  /** cockatiel's own windows turn by the wall clock, one for each call however long ago the last was. */
  #turnWindow(): void {
    const { options } = this.#parts;
    this.#rate = rateOf(options);
    this.#windowEnd = this.#now() + options.windowMs;
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}

function closed(): State {
  return { name: 'closed', permit: { probe: false } };
}

function rateOf({ failureRate, minimumCalls, windowMs }: BreakerOptions): IBreaker {
  return new SamplingBreaker({
    // cockatiel asks for more than the threshold, so a hair less makes it "at least", and 100 % reachable.
    threshold: failureRate - 1e-9,
    duration: windowMs,
    // Half a call less, so that rounding never asks for one more.
    minimumRps: ((minimumCalls - 0.5) * 1_000) / windowMs,
  });
}
