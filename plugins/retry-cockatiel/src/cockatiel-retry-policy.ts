import {
  type Attempt,
  type Clock,
  type ExecuteOptions,
  type Metrics,
  type RetryPolicy,
  systemClock,
} from '@keelson/core';
import { ConflictLane, policyStopped, RetryMetrics } from '@keelson/core/retry';
import { Call, type Environment, type Target } from './call.js';
import { type BreakerState, breakerStates, CockatielBreaker } from './cockatiel-breaker.js';
import { parseOptions, policyOf, type RetryOptions, type RetryOptionsInput } from './options.js';

export interface CockatielRetryPolicyOptions {
  readonly options?: RetryOptionsInput;
  readonly clock?: Clock;
  /** A number from 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
}

/** Called when the breaker of `target` changes; `cause` is what counted last against it. */
export type MoveListener = (target: string, to: BreakerState, cause: unknown) => void;

/** Safe to show but for `lastCause`, which is an error as it was thrown. */
export interface TargetReport {
  readonly target: string;
  readonly state: BreakerState;
  /** What is left of the break, in ms; 0 when there is none. */
  readonly breakLeftMs: number;
  /** The last failure that counted against the target; undefined when none has. */
  readonly lastCause: unknown;
}

/**
 * Retries, deadlines and attempt timeouts around a breaker that judges as cockatiel does.
 *
 * Layers, outside in: deadline, retry, breaker, attempt timeout, work.
 */
export class CockatielRetryPolicy implements RetryPolicy {
  /** Called when the breaker of any target changes its state; must not throw. */
  onMove: MoveListener = () => {};
  readonly #options: RetryOptions;
  readonly #targets = new Map<string, Target>();
  readonly #stopping = new AbortController();
  readonly #environment: Environment;

  /** @throws KeelsonError RETRY_OPTIONS_INVALID with every problem of `options`. */
  constructor({ options = {}, clock = systemClock, random = Math.random }: CockatielRetryPolicyOptions = {}) {
    this.#options = parseOptions(options);
    this.#environment = { clock, random, stopping: this.#stopping.signal, measured: undefined };
  }

  execute<T>(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions): Promise<T> {
    const target = options.target ?? headOf(options.name);
    if (this.#stopping.signal.aborted) {
      return Promise.reject(policyStopped({ operation: options.name, target, attempts: 0, elapsedMs: 0 }, undefined));
    }
    return new Call(work, options, this.#target(target)).run();
  }

  endWaits(target: string, reason: unknown): void {
    const known = this.#targets.get(target);
    if (known === undefined) return;
    const { waits } = known;
    known.conflictLane.endWaits(reason);
    known.waits = new AbortController();
    waits.abort(reason);
  }

  /** The targets whose breaker is not closed. */
  notClosed(): readonly string[] {
    return [...this.#targets.values()].filter(({ breaker }) => breaker.state !== 'closed').map(({ name }) => name);
  }

  /** What is known of each target that has been called. */
  describe(): readonly TargetReport[] {
    return [...this.#targets.values()].map(({ name, breaker }) => ({
      target: name,
      state: breaker.state,
      breakLeftMs: Math.round(breaker.breakLeftMs()),
      lastCause: breaker.lastCause,
    }));
  }

  /** Counts from now on, until the result is disposed of. Does nothing where nothing is measured. */
  measure(metrics: Metrics): Disposable {
    if (metrics.silent === true) return { [Symbol.dispose]() {} };
    const measured = new RetryMetrics(metrics, { states: breakerStates, targets: () => this.describe() });
    this.#environment.measured = measured;
    return {
      [Symbol.dispose]: () => {
        this.#environment.measured = undefined;
        measured[Symbol.dispose]();
      },
    };
  }

  /** Ends every wait with RETRY_STOPPED and takes no further call. Attempts that run are left alone. */
  stop(): void {
    this.#stopping.abort();
    for (const { conflictLane } of this.#targets.values()) conflictLane.close(this.#stopping.signal.reason);
  }

  #target(name: string): Target {
    const known = this.#targets.get(name);
    if (known !== undefined) return known;
    const policy = policyOf(this.#options, name);
    const breaker = new CockatielBreaker({
      options: policy.breaker,
      clock: this.#environment.clock,
      random: this.#environment.random,
      onMove: (to, cause) => {
        this.#environment.measured?.moved(name, to);
        this.onMove(name, to, cause);
      },
    });
    const conflictLane = new ConflictLane(this.#environment.clock);
    const target = {
      name,
      conflictLane,
      policy,
      breaker,
      environment: this.#environment,
      waits: new AbortController(),
    };
    this.#targets.set(name, target);
    return target;
  }
}

function headOf(name: string): string {
  const dot = name.indexOf('.');
  return dot === -1 ? name : name.slice(0, dot);
}
