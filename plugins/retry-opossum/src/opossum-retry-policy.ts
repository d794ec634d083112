import {
  type Attempt,
  type Clock,
  type ExecuteOptions,
  KeelsonError,
  type RetryPolicy,
  systemClock,
} from '@keelson/core';
import { policyStopped } from '@keelson/core/retry';
import { Call } from './call.js';
import { type Change, changesBetween } from './changes.js';
import {
  defaultPolicyName,
  policyOf,
  policySchema,
  type RetryOptions,
  type RetryOptionsInput,
  retryOptionsSchema,
} from './options.js';
import type { RetryControl } from './retry-control.js';
import { type RetryObserver, Target, type TargetReport } from './target.js';

export interface OpossumRetryPolicyOptions {
  readonly options?: RetryOptionsInput;
  readonly clock?: Clock;
  /** A number from 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Retries, deadlines, attempt timeouts and bulkheads of our own around a breaker on opossum, which itself never retries.
 *
 * Layers, outside in: deadline, bulkhead, retry, breaker, attempt timeout, work.
 */
export class OpossumRetryPolicy implements RetryPolicy, RetryControl {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #targets = new Map<string, Target>();
  readonly #targetNames = new Map<string, string>();
  readonly #observers = new Set<RetryObserver>();
  #options: RetryOptions;
  #stopped = false;

  /** @throws KeelsonError RETRY_OPTIONS_INVALID with every problem of `options`. */
  constructor({ options = {}, clock = systemClock, random = Math.random }: OpossumRetryPolicyOptions = {}) {
    this.#options = parse(options);
    this.#clock = clock;
    this.#random = random;
  }

  execute<T>(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions): Promise<T> {
    const target = options.target ?? this.#targetNameOf(options.name);
    if (this.#stopped) {
      return Promise.reject(policyStopped({ operation: options.name, target, attempts: 0, elapsedMs: 0 }, undefined));
    }
    return new Call(work, options, this.#target(target)).run();
  }

  endWaits(target: string, reason: unknown): void {
    this.#targets.get(target)?.endWaits(reason);
  }

  declareTarget(target: string): void {
    this.#target(target);
  }

  reconfigure(options: RetryOptionsInput): readonly Change[] {
    const next = parse(options);
    const changes = changesBetween(this.#options, next);
    this.#options = next;
    for (const target of this.#targets.values()) target.configure(policyOf(next, target.name));
    if (changes.length > 0) this.#notify(observer => observer.reconfigured?.(changes));
    return changes;
  }

  describe(): readonly TargetReport[] {
    return [...this.#targets.values()].map(target => target.describe());
  }

  hold(target: string, as: 'open' | 'closed'): void {
    this.#target(target).hold(as);
  }

  release(target: string): void {
    this.#target(target).hold(undefined);
  }

  observe(observer: RetryObserver): Disposable {
    this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  /**
   * Ends every wait with RETRY_STOPPED and takes no further call. Attempts that run are left alone: their own timeout or
   * deadline ends them.
   */
  stop(): void {
    this.#stopped = true;
    for (const target of this.#targets.values()) target.stop();
  }

  #targetNameOf(name: string): string {
    const known = this.#targetNames.get(name);
    if (known !== undefined) return known;
    const [target = name] = name.split('.', 1);
    this.#targetNames.set(name, target);
    return target;
  }

  #target(name: string): Target {
    const known = this.#targets.get(name);
    if (known !== undefined) return known;
    const environment = { clock: this.#clock, random: this.#random };
    const target = new Target(name, policyOf(this.#options, name), environment, this.#observer);
    this.#targets.set(name, target);
    return target;
  }

  readonly #observer: RetryObserver = {
    breakerMoved: (target, move) => this.#notify(observer => observer.breakerMoved?.(target, move)),
    retried: (target, cause) => this.#notify(observer => observer.retried?.(target, cause)),
    ended: (target, outcome) => this.#notify(observer => observer.ended?.(target, outcome)),
    conflicted: target => this.#notify(observer => observer.conflicted?.(target)),
    gaveUp: (target, code) => this.#notify(observer => observer.gaveUp?.(target, code)),
  };

  #notify(event: (observer: RetryObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        event(observer);
      } catch {
        // An observer must not decide how a call ends.
      }
    }
  }
}

function parse(options: RetryOptionsInput): RetryOptions {
  const result = retryOptionsSchema.safeParse(options);
  if (result.success) return withDefaultPolicy(result.data);
  const problems = result.error.issues.map(issue => `${issue.path.join('.') || 'options'}: ${issue.message}`);
  throw new KeelsonError({
    code: 'RETRY_OPTIONS_INVALID',
    message: `The options of the retry policy are wrong: ${problems.join('; ')}.`,
    hint: 'Every option, its range and its default are in the README of @keelson/retry-opossum.',
    facts: { problems },
    cause: result.error,
  });
}

function withDefaultPolicy({ policies, targets }: RetryOptions): RetryOptions {
  return { policies: { [defaultPolicyName]: policySchema.parse({}), ...policies }, targets };
}
