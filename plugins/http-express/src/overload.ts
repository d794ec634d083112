import { type Clock, currentDeadline, KeelsonError, type Timer } from '@keelson/core';
import type { OverloadOptions } from './options.js';

/** What a service works with, as far as it says whether there is room for one more request. */
export interface Load {
  /** Requests without a complete answer. */
  active(): number;
  /** Of the pool of the database, when there is one. */
  pool(): { readonly waiting: number; readonly acquired: number } | undefined;
}

/** Pause between two looks, in ms. */
const lookMs = 250;

/** Refuses requests early that would not be answered in time, so that the others are. */
export class Overload implements Disposable {
  readonly #options: OverloadOptions;
  readonly #load: Load;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #lookedAt = 0;
  #acquired = 0;
  /** How late the looks come. */
  #lateMs = 0;
  /** Connections lent for each ms, between the last two looks and between the two before. */
  #lentPerMs: readonly [last: number, before: number] = [0, 0];

  constructor(options: OverloadOptions, load: Load, clock: Clock) {
    this.#options = options;
    this.#load = load;
    this.#clock = clock;
  }

  start(): void {
    this.#lookedAt = this.#clock.now();
    this.#timer ??= this.#clock.schedule(lookMs, () => this.#look());
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  /** Undefined when there is room for one more. */
  refusal(): KeelsonError | undefined {
    const { maxActive, maxLateMs } = this.#options;
    const active = this.#load.active();
    // The request that asks is one of them.
    if (active > maxActive) return overloaded('too many requests are running', { active, maxActive });
    if (this.#lateMs > maxLateMs) return overloaded('the process is too busy', { lateMs: Math.round(this.#lateMs) });
    return this.#poolRefusal();
  }

  /**
   * While the pool lends nothing, the database is away and requests wait for it, as long as the breaker lets them. That
   * begins and ends in the middle of two looks: only a pool that has lent between all of them has a speed.
   */
  #poolRefusal(): KeelsonError | undefined {
    if (this.#lentPerMs.includes(0)) return undefined;
    const waiting = this.#load.pool()?.waiting ?? 0;
    const waitMs = waiting / Math.max(...this.#lentPerMs);
    const leftMs = Math.min(this.#options.longestWaitMs, currentDeadline()?.remainingMs() ?? Number.POSITIVE_INFINITY);
    if (waiting === 0 || waitMs <= leftMs) return undefined;
    return overloaded('the wait for a connection is longer than the time that is left', {
      waiting,
      waitMs: Math.round(waitMs),
    });
  }

  #look(): void {
    const now = this.#clock.now();
    const acquired = this.#load.pool()?.acquired ?? 0;
    const lentPerMs = (acquired - this.#acquired) / Math.max(1, now - this.#lookedAt);
    this.#lentPerMs = [lentPerMs, this.#lentPerMs[0]];
    // Half of what it was: one long step of the process is no overload.
    this.#lateMs = (this.#lateMs + Math.max(0, now - this.#lookedAt - lookMs)) / 2;
    this.#acquired = acquired;
    this.#lookedAt = now;
    this.#timer = this.#clock.schedule(lookMs, () => this.#look());
  }
}

function overloaded(why: string, facts: Readonly<Record<string, number>>): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_OVERLOADED',
    message: `A request was refused: ${why}.`,
    hint: 'Run more instances, or see in the log which requests take long.',
    facts,
    http: {
      status: 503,
      title: 'Service Unavailable',
      detail: 'The service is overloaded. The request was not carried out. Please send it again later.',
      retryAfterMs: 1_000,
    },
  });
}
