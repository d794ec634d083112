import { EventEmitter } from 'node:events';
import type { Clock } from '@keelson/core';
import Opossum from 'opossum';
import type { BreakerMove, BreakerReport, BreakerState, CircuitBreaker, Outcome, Permit } from './circuit-breaker.js';
import type { BreakerOptions } from './options.js';

/** The probes that are out, with the time each began. */
interface HalfOpen {
  readonly name: 'half-open';
  readonly probes: Map<Permit, number>;
  successes: number;
}

type State =
  | { readonly name: 'closed' | 'held-closed'; readonly permit: Permit }
  | { readonly name: 'open'; readonly until: number }
  | HalfOpen
  | { readonly name: 'held-open' };

export interface OpossumBreakerOptions {
  readonly options: BreakerOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onMove?: (move: BreakerMove) => void;
}

const bucketCount = 10;

/**
 * A breaker on opossum, which is given verdicts and not calls.
 *
 * opossum counts the reported attempts and decides when the failure rate opens the circuit. It receives only attempts that
 * finished and said something of the target, so calls in flight, refusals and mistakes of callers never reach its
 * statistics. Breaks and probes are ours: opossum closes on the first call it sees succeed, after a fixed pause. So is
 * opening after failures in a row, which a rate cannot see while the successes of a moment ago still count.
 */
export class OpossumBreaker implements CircuitBreaker {
  #options: BreakerOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onMove: (move: BreakerMove) => void;
  readonly #buckets = new EventEmitter();
  #opossum: Opossum<[boolean], void>;
  #state: State = { name: 'closed', permit: { probe: false } };
  #movedAt: number;
  #bucketEndsAt: number;
  #closedUntil: number;
  #breaks = 0;
  #lastFailure: Outcome | undefined;
  #failuresInARow = 0;

  constructor({ options, clock, random, onMove }: OpossumBreakerOptions) {
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#onMove = onMove ?? (() => {});
    this.#movedAt = clock.now();
    this.#closedUntil = this.#movedAt;
    this.#bucketEndsAt = this.#movedAt + options.windowMs / bucketCount;
    this.#opossum = this.#build();
  }

  get state(): BreakerState {
    return this.#state.name;
  }

  get lastCause(): unknown {
    return this.#lastFailure?.cause;
  }

  admit(): Permit | undefined {
    const state = this.#state;
    switch (state.name) {
      case 'closed':
      case 'held-closed':
        return state.permit;
      case 'held-open':
        return undefined;
      case 'open':
        if (this.#clock.now() < state.until) return undefined;
        this.#move({ name: 'half-open', probes: new Map(), successes: 0 });
        return this.admit();
      case 'half-open':
        return this.#admitProbe(state);
    }
  }

  settle(permit: Permit, outcome: Outcome): void {
    const state = this.#state;
    if (state.name === 'closed' && permit === state.permit) {
      if (this.#failed(outcome)) this.#count(outcome);
      else if (outcome.availability === 'up') this.#count(undefined);
    } else if (state.name === 'half-open' && state.probes.delete(permit)) {
      if (this.#failed(outcome)) this.#failProbe(outcome);
      else if (outcome.availability === 'up' && ++state.successes >= this.#options.probes) this.#close();
    }
  }

  breakLeftMs(): number {
    if (this.#state.name === 'held-open') return Number.POSITIVE_INFINITY;
    return this.#state.name === 'open' ? Math.max(0, this.#state.until - this.#clock.now()) : 0;
  }

  askAgainInMs(): number {
    const state = this.#state;
    if (state.name !== 'half-open' || this.#hasRoom(state)) return this.breakLeftMs();
    return Math.max(0, this.#probesEndAt(state) - this.#clock.now());
  }

  hold(as: 'open' | 'closed' | undefined): void {
    if (as === 'open') this.#move({ name: 'held-open' });
    else if (as === 'closed') this.#move({ name: 'held-closed', permit: { probe: false } });
    else if (this.#state.name === 'held-open' || this.#state.name === 'held-closed') this.#close();
  }

  /** Goes by `options` from now on. The state stays; what was counted is forgotten. */
  configure(options: BreakerOptions): void {
    this.#opossum.shutdown();
    this.#options = options;
    this.#opossum = this.#build();
  }

  describe(): BreakerReport {
    return {
      state: this.state,
      sinceMs: this.#clock.now() - this.#movedAt,
      notClosedMs: this.#notClosedMs(),
      breakLeftMs: this.breakLeftMs(),
      breaks: this.#breaks,
      lastCause: this.lastCause,
    };
  }

  shutdown(): void {
    this.#state = { name: 'held-open' };
    this.#opossum.shutdown();
  }

  #build(): Opossum<[boolean], void> {
    const { failureRate, minimumCalls, windowMs } = this.#options;
    const opossum = new Opossum<[boolean], void>(verdict, {
      timeout: false,
      // opossum asks for more than the threshold, so a hair less makes it "at least", and 100 % reachable.
      errorThresholdPercentage: failureRate * 100 - 1e-9,
      volumeThreshold: minimumCalls,
      rollingCountTimeout: windowMs,
      rollingCountBuckets: bucketCount,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#buckets,
    });
    opossum.on('open', () => {
      // It has just set a timer of its own; closing takes that back, and the break is kept here.
      opossum.close();
      this.#break(this.#lastFailure?.retryAfterMs);
    });
    return opossum;
  }

  #failed({ availability, durationMs }: Outcome): boolean {
    const { slowCallMs } = this.#options;
    return availability === 'down' || (slowCallMs > 0 && durationMs >= slowCallMs);
  }

  #count(failure: Outcome | undefined): void {
    this.#turnBuckets();
    if (failure === undefined) {
      this.#failuresInARow = 0;
      void this.#opossum.fire(true);
      return;
    }
    this.#lastFailure = failure;
    this.#failuresInARow++;
    this.#opossum.fire(false).catch(() => {});
    const { consecutiveFailures } = this.#options;
    if (this.#state.name !== 'closed' || consecutiveFailures === 0) return;
    if (this.#failuresInARow >= consecutiveFailures) this.#break(failure.retryAfterMs);
  }

  #turnBuckets(): void {
    const now = this.#clock.now();
    if (now < this.#bucketEndsAt) return;
    const bucketMs = this.#options.windowMs / bucketCount;
    const turns = Math.floor((now - this.#bucketEndsAt) / bucketMs) + 1;
    this.#bucketEndsAt += turns * bucketMs;
    this.#forget(Math.min(turns, bucketCount));
  }

  #forget(buckets: number): void {
    for (let bucket = 0; bucket < buckets; bucket++) this.#buckets.emit('rotate');
  }

  #admitProbe(state: HalfOpen): Permit | undefined {
    const now = this.#clock.now();
    if (state.probes.size > 0 && now >= this.#probesEndAt(state)) {
      this.#failProbe({ availability: 'down', durationMs: this.#options.probeTimeoutMs });
      return undefined;
    }
    if (!this.#hasRoom(state)) return undefined;
    const probe: Permit = { probe: true };
    state.probes.set(probe, now);
    return probe;
  }

  #hasRoom(state: HalfOpen): boolean {
    return state.probes.size + state.successes < this.#options.probes;
  }

  /** When the oldest probe has gone without an answer for too long. */
  #probesEndAt(state: HalfOpen): number {
    const [oldest = this.#movedAt] = state.probes.values();
    return oldest + this.#options.probeTimeoutMs;
  }

  #failProbe(failure: Outcome): void {
    if (failure.cause !== undefined) this.#lastFailure = failure;
    this.#break(failure.retryAfterMs);
  }

  #break(retryAfterMs: number | undefined): void {
    const { breakMs, breakShareOfOutage, maxBreakMs } = this.#options;
    const grown = Math.min(maxBreakMs, Math.max(breakMs, breakShareOfOutage * this.#notClosedMs()));
    const length = Math.max(grown * (1 - this.#random() / 2), retryAfterMs ?? 0);
    this.#breaks++;
    this.#move({ name: 'open', until: this.#clock.now() + length }, length);
  }

  #notClosedMs(): number {
    return isClosed(this.#state) ? 0 : this.#clock.now() - this.#closedUntil;
  }

  #close(): void {
    // opossum keeps its window when it closes, so the outage that is over would open it at the next failure.
    this.#forget(bucketCount);
    this.#failuresInARow = 0;
    this.#move({ name: 'closed', permit: { probe: false } });
  }

  #move(next: State, breakMs?: number): void {
    const from = this.#state.name;
    this.#movedAt = this.#clock.now();
    if (isClosed(this.#state)) this.#closedUntil = this.#movedAt;
    this.#state = next;
    if (from === next.name) return;
    this.#onMove({
      from,
      to: next.name,
      ...(breakMs === undefined ? {} : { breakMs, cause: this.lastCause }),
    });
  }
}

function isClosed({ name }: State): boolean {
  return name === 'closed' || name === 'held-closed';
}

const wentWell = Promise.resolve();
const wentWrong = new Error('the attempt failed');

/** What opossum takes for the protected call. Throws rather than rejects, so that opossum decides before `fire` returns. */
function verdict(succeeded: boolean): Promise<void> {
  if (!succeeded) throw wentWrong;
  return wentWell;
}
