import { type Clock, type Counter, currentDeadline, KeelsonError, type Metrics, type Timer } from '@keelson/core';
import type { OverloadOptions } from './options.js';

/** What a service works with, as far as it says whether there is room for one more request. */
export interface Load {
  /** Requests without a complete answer. */
  active(): number;
  /** Of the pool of the database, when there is one. */
  pool(): PoolLoad | undefined;
}

/** The counters only grow. */
export interface PoolLoad {
  /** In ms since 1970. Undefined while the database is away; another number after each outage. */
  readonly connectedSince: number | undefined;
  /** Callers in the line. */
  readonly waiting: number;
  /** Connections lent. */
  readonly acquired: number;
  /** Of these, to those who had waited in the line. */
  readonly waited: number;
}

/** Why a request is refused, and the sentence of its error. */
const reasons = {
  active_requests: 'too many requests are running',
  event_loop: 'the process is too busy',
  connection_wait: 'the expected wait for a database connection is too long',
} as const;

type Reason = keyof typeof reasons;

/** Pause between two looks, in ms. */
const lookMs = 250;

/** Refuses requests early that would not be answered in time, so that the others are. */
export class Overload implements Disposable {
  readonly #options: OverloadOptions;
  readonly #load: Load;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #refusals: Counter | undefined;
  #lookedAt = 0;
  #pool: PoolLoad | undefined;
  #measuredAt = 0;
  /** How late the looks come. */
  #lateMs = 0;
  /** Connections that the pool can lend in a ms: between the last two looks, and between the two before. */
  #lentPerMs: readonly [last: number | undefined, before: number | undefined] = [undefined, undefined];

  constructor(options: OverloadOptions, load: Load, clock: Clock) {
    this.#options = options;
    this.#load = load;
    this.#clock = clock;
  }

  /** Refusals are counted from now on, by their reason. */
  measure(metrics: Metrics): void {
    this.#refusals = metrics.counter({
      name: 'http.server.overload.refusals',
      description: 'Requests that were refused because the service is overloaded, by reason',
      unit: '{request}',
      labels: ['reason'],
    });
    for (const reason of Object.keys(reasons)) this.#refusals.add(0, { reason });
  }

  start(): void {
    this.#lookedAt = this.#clock.now();
    this.#measuredAt = this.#lookedAt;
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
    if (active > maxActive) return this.#refuse('active_requests', { active, maxActive });
    if (this.#lateMs > maxLateMs) return this.#refuse('event_loop', { lateMs: Math.round(this.#lateMs) });
    return this.#poolRefusal();
  }

  #poolRefusal(): KeelsonError | undefined {
    const [last, before] = this.#lentPerMs;
    if (last === undefined || before === undefined) return undefined;
    const { waiting, connectedSince } = this.#load.pool() ?? noLoad;
    const waitMs = waiting / Math.max(last, before);
    const leftMs = Math.min(this.#options.longestWaitMs, currentDeadline()?.remainingMs() ?? Number.POSITIVE_INFINITY);
    if (connectedSince === undefined || waitMs <= leftMs) return undefined;
    return this.#refuse('connection_wait', { waiting, waitMs: Math.round(waitMs) });
  }

  #refuse(reason: Reason, facts: Readonly<Record<string, number>>): KeelsonError {
    this.#refusals?.add(1, { reason });
    return overloaded(reasons[reason], facts);
  }

  #look(): void {
    const now = this.#clock.now();
    this.#measurePool(now);
    // Half of what it was: one long step of the process is no overload.
    this.#lateMs = (this.#lateMs + Math.max(0, now - this.#lookedAt - lookMs)) / 2;
    this.#lookedAt = now;
    this.#timer = this.#clock.schedule(lookMs, () => this.#look());
  }

  /** From one loan to the next: where sessions are long, several looks see none. */
  #measurePool(now: number): void {
    const pool = this.#load.pool();
    const ms = now - this.#measuredAt;
    const [last] = this.#lentPerMs;
    if (isSlow(this.#pool, pool) && (last === undefined || ms * last <= longestGap)) return;
    this.#lentPerMs = [speedOf(this.#pool, pool, ms), last];
    this.#pool = pool;
    this.#measuredAt = now;
  }
}

/** After this many times the usual time between two loans, the pool is not slow: it lends nothing. */
const longestGap = 3;

const noLoad: PoolLoad = { connectedSince: undefined, waiting: 0, acquired: 0, waited: 0 };

/**
 * Connections that the pool lends in a ms at its limit. Undefined while no caller waits, because then the requests set the
 * speed, and in an outage, when requests wait for the database as long as the breaker lets them.
 */
function speedOf(before: PoolLoad | undefined, now: PoolLoad | undefined, ms: number): number | undefined {
  if (before === undefined || now === undefined || ms <= 0) return undefined;
  if (now.connectedSince === undefined || now.connectedSince !== before.connectedSince) return undefined;
  const acquired = now.acquired - before.acquired;
  const allHadWaited = acquired > 0 && now.waited - before.waited === acquired;
  return allHadWaited && before.waiting > 0 && now.waiting > 0 ? acquired / ms : undefined;
}

/** Callers wait, and no connection was lent; the database is not away. */
function isSlow(before: PoolLoad | undefined, now: PoolLoad | undefined): boolean {
  return (
    before !== undefined &&
    now?.connectedSince !== undefined &&
    now.connectedSince === before.connectedSince &&
    now.acquired === before.acquired &&
    before.waiting > 0 &&
    now.waiting > 0
  );
}

function overloaded(why: string, facts: Readonly<Record<string, number>>): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_OVERLOADED',
    message: `A request was refused: ${why}.`,
    hint: 'Run more instances, or find the slow requests in the log.',
    facts,
    http: {
      status: 503,
      title: 'Service Unavailable',
      detail: 'The service is overloaded. The request was not carried out. Please send it again later.',
      retryAfterMs: 1_000,
    },
  });
}
