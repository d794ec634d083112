import type { Clock } from '../contract/clock.js';
import { Deadline } from '../contract/deadline.js';
import type { Attempt, ExecuteOptions, FailureVerdict } from '../contract/slots/retry-policy.js';
import { backoffMs } from './backoff.js';
import type { ConflictLane, Turn } from './conflict-lane.js';
import { defaultVerdict, saysNothing } from './default-verdict.js';
import {
  attemptsExhausted,
  attemptTimeout,
  circuitOpen,
  deadlineExceeded,
  type Progress,
  type RetryError,
} from './retry-errors.js';
import { type AttemptLimits, deadlinePassed, RunningAttempt } from './running-attempt.js';

/** Limits of the retries after a conflict; other failures have other limits. */
export interface ConflictPolicy {
  /** Attempts of one call that may end in a conflict. */
  readonly maxAttempts: number;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
}

/** The limits of a call. */
export interface CallPolicy {
  /** 0: no limit. */
  readonly deadlineMs: number;
  /** 0: no limit. */
  readonly attemptTimeoutMs: number;
  /** How long a cancelled attempt may take to end. 0: it is abandoned at once. */
  readonly cancelGraceMs: number;
  /** The first included; 1 for no retry. */
  readonly maxAttempts: number;
  readonly conflicts: ConflictPolicy;
}

/** Permission for one attempt. */
export interface CallPermit {
  /** True for an attempt that finds out whether the target is back. */
  readonly probe: boolean;
}

/** What all calls to one target share. */
export interface CallTarget {
  readonly name: string;
  readonly environment: { readonly clock: Clock; readonly random: () => number };
  readonly policy: CallPolicy;
  readonly conflictLane: ConflictLane;
  readonly breaker: {
    readonly state: string;
    /** The last error that counted against the target. */
    readonly lastCause: unknown;
    /** Returns a permit for one attempt; undefined while the breaker admits none. */
    admit(): CallPermit | undefined;
    breakLeftMs(): number;
  };
}

/** A verdict, and the error behind it: the breaker keeps it as its last cause when the failure counts against the target. */
export interface JudgedFailure extends FailureVerdict {
  readonly cause: unknown;
}

/**
 * One `execute` of a retry policy, from its first attempt to its end. The breaker, the waits and the pace are the
 * policy's own: it fills in the abstract methods, and overrides those that say "by default".
 *
 * Each attempt takes its limits from this object, so that a call that succeeds at once makes few objects.
 */
export abstract class RetriedCall<T, Target extends CallTarget> implements AttemptLimits {
  protected readonly options: ExecuteOptions;
  protected readonly target: Target;
  /** As it was when the call began. */
  protected readonly policy: Target['policy'];
  protected readonly startedAt: number;
  protected readonly deadline: Deadline;
  /** Sent to the target. */
  protected attempts = 0;
  /** Attempts that ended in a conflict. */
  protected conflicts = 0;
  protected lastFailure: unknown;
  readonly #work: (attempt: Attempt) => Promise<T>;
  /** Of the attempt that runs. */
  #permit: CallPermit | undefined;
  /** Held from a conflict until the call ends, or fails for another reason. */
  #turn: Turn | undefined;

  constructor(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions, target: Target) {
    const { clock } = target.environment;
    this.#work = work;
    this.options = options;
    this.target = target;
    this.policy = target.policy;
    this.startedAt = clock.now();
    this.deadline = options.deadline ?? Deadline.after(limitOf(target.policy.deadlineMs), clock);
  }

  /** Resolves with a permit once the breaker admits an attempt; throws or rejects when the call does not wait for that. */
  protected abstract waitForPermit(): Promise<CallPermit>;

  /** Returns the error of the call after its wait for `awaited` was ended with `reason`. */
  protected abstract explain(reason: unknown, awaited: string): unknown;

  /** Settles the permit of an attempt that succeeded. */
  protected abstract settleSuccess(permit: CallPermit, attempt: RunningAttempt): void;

  /** Settles the permit of an attempt that failed. */
  protected abstract settleFailure(permit: CallPermit, attempt: RunningAttempt, failure: JudgedFailure): void;

  /** Settles the permit of an attempt that is not made. */
  protected abstract giveBack(permit: CallPermit): void;

  /** The attempt that runs with `permit` has been answered. */
  protected abstract answered(permit: CallPermit): void;

  /** Resolves when the next attempt may ask for a permit; throws the error of the call when there is no next attempt. */
  protected abstract makeReadyForNext(failure: JudgedFailure, permit: CallPermit): Promise<void>;

  run(): Promise<T> {
    if (this.options.signal?.aborted) return Promise.reject(this.options.signal.reason);
    if (this.deadline.at <= this.startedAt) return Promise.reject(this.late('a first attempt'));
    return this.runInTurn();
  }

  /** Runs the call when a policy lets it start. By default at once. */
  protected runInTurn(): Promise<T> {
    return this.tryUntilDone();
  }

  /** All waits are in this one function: thousands of calls may wait, and each further async function would keep its state. */
  protected async tryUntilDone(): Promise<T> {
    try {
      for (;;) {
        let permit = this.target.breaker.admit();
        if (permit === undefined) {
          try {
            permit = await this.waitForPermit();
          } catch (reason) {
            throw this.explain(reason, `"${this.target.name}" to come back`);
          }
        }
        // The caller gave up between being let go and going on.
        if (this.options.signal?.aborted) {
          this.giveBack(permit);
          throw this.options.signal.reason;
        }
        const attempt = this.#nextAttempt(permit);
        try {
          const value = await attempt.run(this.#work);
          this.settleSuccess(permit, attempt);
          if (this.attempts > 1) this.endedAfterRetries('success');
          return value;
        } catch (error) {
          const failure = this.#judge(error, attempt);
          this.settleFailure(permit, attempt, failure);
          this.#endUnlessRepeatable(failure, error);
          if (failure.conflict === true) {
            await this.#takeTurn();
          } else {
            this.#endTurn();
            await this.makeReadyForNext(failure, permit);
          }
        }
      }
    } catch (error) {
      if (this.attempts > 1) this.endedAfterRetries('failure');
      throw error;
    } finally {
      this.#endTurn();
    }
  }

  /** Pauses within the turn: calls of other processes, and new ones of this, get through meanwhile. */
  async #takeTurn(): Promise<void> {
    const { conflictLane, environment } = this.target;
    const { conflicts } = this.policy;
    if (++this.conflicts >= conflicts.maxAttempts) {
      throw this.giveUp(attemptsExhausted(this.progress(), this.lastFailure));
    }
    const awaited = 'its turn after a conflict';
    try {
      this.#turn ??= await conflictLane.enter(this.deadline, this.options.signal);
      const delayMs = backoffMs(this.conflicts, conflicts, environment.random);
      if (delayMs >= this.deadline.remainingMs()) throw deadlinePassed;
      this.#notify(delayMs);
      await conflictLane.pause(delayMs, this.options.signal);
    } catch (reason) {
      throw reason === deadlinePassed ? this.late(awaited) : this.explain(reason, awaited);
    }
  }

  #endTurn(): void {
    this.#turn?.();
    this.#turn = undefined;
  }

  #nextAttempt(permit: CallPermit): RunningAttempt {
    this.#permit = permit;
    this.attempts++;
    this.beginAttempt();
    return new RunningAttempt(this.attempts, this.deadline, this.target.environment.clock, this);
  }

  /** Called before each attempt, so that a policy can count it; `attempts` includes it already. By default does nothing. */
  protected beginAttempt(): void {}

  /** Called when a call of several attempts has ended, so that a policy can count it. By default does nothing. */
  protected endedAfterRetries(_outcome: 'success' | 'failure'): void {}

  #judge(error: unknown, attempt: RunningAttempt): JudgedFailure {
    if (error === deadlinePassed || this.options.signal?.aborted) return this.judgeSilence(attempt);
    const verdict = this.classify(error);
    return { ...verdict, cause: error, ...(attempt.timedOut && verdict.conflict !== true && { availability: 'down' }) };
  }

  /** Judges an attempt whose caller did not wait for its end. By default it says nothing about the target. */
  protected judgeSilence(_attempt: RunningAttempt): JudgedFailure {
    return { ...saysNothing, cause: undefined };
  }

  protected classify(error: unknown): FailureVerdict {
    const { classify, idempotent } = this.options;
    try {
      if (classify !== undefined) return classify(error);
    } catch {
      return saysNothing;
    }
    return defaultVerdict(error, idempotent);
  }

  #endUnlessRepeatable(verdict: FailureVerdict, error: unknown): void {
    const { signal, idempotent } = this.options;
    if (signal?.aborted) throw signal.reason;
    if (error === deadlinePassed) throw this.late('the attempt');
    this.lastFailure = error;
    if (!idempotent || !verdict.retry || this.policy.maxAttempts === 1) throw error;
  }

  protected announce(delayMs: number): void {
    this.#notify(delayMs);
  }

  #notify(delayMs: number): void {
    try {
      this.options.onRetry?.({ attempt: this.attempts + 1, delayMs, error: this.lastFailure });
    } catch {
      // A listener that fails must not decide whether the work is done.
    }
  }

  /** Receives every error of the policy itself before the call ends with it, and returns it. */
  protected giveUp(error: RetryError): RetryError {
    return error;
  }

  protected late(where: string, retryAfterMs = 0): RetryError {
    return this.giveUp(deadlineExceeded(this.progress(), where, retryAfterMs, this.cause()));
  }

  protected circuitOpen(inMs = this.target.breaker.breakLeftMs()): RetryError {
    return this.giveUp(circuitOpen(this.progress(), inMs, this.cause()));
  }

  /**
   * The last failure of this call. When it has none, the last failure that counted against the target; undefined while the
   * breaker is closed.
   */
  protected cause(): unknown {
    const { breaker } = this.target;
    return this.lastFailure ?? (breaker.state === 'closed' ? undefined : breaker.lastCause);
  }

  protected progress(): Progress {
    const elapsedMs = this.now() - this.startedAt;
    return { operation: this.options.name, target: this.target.name, attempts: this.attempts, elapsedMs };
  }

  protected now(): number {
    return this.target.environment.clock.now();
  }

  // What an attempt asks of its call (`AttemptLimits`).

  get timeoutMs(): number {
    return this.options.attemptTimeoutMs ?? limitOf(this.policy.attemptTimeoutMs);
  }

  get graceMs(): number {
    return this.policy.cancelGraceMs;
  }

  get signal(): AbortSignal | undefined {
    return this.options.signal;
  }

  timeoutError(): Error {
    return attemptTimeout(this.progress(), this.timeoutMs);
  }

  onHealthy(number: number): void {
    if (number === this.attempts && this.#permit !== undefined) this.answered(this.#permit);
  }
}

function limitOf(ms: number): number {
  return ms === 0 ? Number.POSITIVE_INFINITY : ms;
}
