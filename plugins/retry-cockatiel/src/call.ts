import { type Attempt, type Clock, Deadline, type ExecuteOptions, type FailureVerdict } from '@keelson/core';
import * as errors from '@keelson/core/retry';
import { backoffMs, deadlinePassed, defaultVerdict, RunningAttempt, saysNothing } from '@keelson/core/retry';
import type { CockatielBreaker, Permit } from './cockatiel-breaker.js';
import type { PolicyOptions } from './options.js';

export interface Target {
  readonly name: string;
  readonly policy: PolicyOptions;
  readonly breaker: CockatielBreaker;
  /** Ends the waits of today. */
  waits: AbortController;
}

export interface Environment {
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborts when the policy stops. */
  readonly stopping: AbortSignal;
}

/** Between two questions whether the probe of another call has come back. */
const shortestPollMs = 10;

/** One `execute`, from its first attempt to its end: deadline(retry(breaker(attempt timeout(work)))). */
export class Call<T> {
  readonly #work: (attempt: Attempt) => Promise<T>;
  readonly #options: ExecuteOptions;
  readonly #target: Target;
  readonly #environment: Environment;
  readonly #startedAt: number;
  readonly #deadline: Deadline;
  #attempts = 0;
  /** Of the attempt that runs. */
  #permit: Permit | undefined;
  #lastFailure: unknown;

  constructor(
    work: (attempt: Attempt) => Promise<T>,
    options: ExecuteOptions,
    target: Target,
    environment: Environment,
  ) {
    const { clock } = environment;
    this.#work = work;
    this.#options = options;
    this.#target = target;
    this.#environment = environment;
    this.#startedAt = clock.now();
    this.#deadline = options.deadline ?? Deadline.after(limitOf(target.policy.deadlineMs), clock);
  }

  async run(): Promise<T> {
    this.#options.signal?.throwIfAborted();
    if (this.#environment.stopping.aborted) throw errors.policyStopped(this.#progress(), undefined);
    if (this.#deadline.passed) throw this.#late('a first attempt');
    for (;;) {
      const permit = this.#target.breaker.admit() ?? (await this.#waitForPermit());
      if (this.#options.signal?.aborted) throw this.#handBack(permit);
      const attempt = this.#nextAttempt(permit);
      try {
        const value = await attempt.run(this.#work);
        this.#target.breaker.settle(permit, { availability: attempt.timedOut ? 'down' : 'up' });
        return value;
      } catch (error) {
        const verdict = this.#judge(error, attempt);
        this.#target.breaker.settle(permit, verdict, error);
        await this.#pause(error, verdict);
      }
    }
  }

  async #waitForPermit(): Promise<Permit> {
    const { breaker, policy } = this.#target;
    for (let wait = 1; ; wait++) {
      const delayMs = breaker.breakLeftMs() + shortestPollMs + backoffMs(wait, policy, this.#environment.random);
      if (policy.whenOpen === 'refuse' || delayMs >= this.#deadline.remainingMs()) throw this.#circuitOpen();
      await this.#sleep(delayMs);
      const permit = breaker.admit();
      if (permit !== undefined) return permit;
    }
  }

  /** The caller gave up between being let go and going on. */
  #handBack(permit: Permit): unknown {
    this.#target.breaker.settle(permit, saysNothing);
    return this.#options.signal?.reason;
  }

  #nextAttempt(permit: Permit): RunningAttempt {
    this.#permit = permit;
    return new RunningAttempt(++this.#attempts, this.#deadline, this.#environment.clock, this);
  }

  #judge(error: unknown, attempt: RunningAttempt): FailureVerdict {
    if (error === deadlinePassed || this.#options.signal?.aborted) return saysNothing;
    const verdict = this.#classify(error);
    return attempt.timedOut ? { ...verdict, availability: 'down' } : verdict;
  }

  #classify(error: unknown): FailureVerdict {
    const { classify, idempotent } = this.#options;
    try {
      return classify === undefined ? defaultVerdict(error, idempotent) : classify(error);
    } catch {
      return saysNothing;
    }
  }

  /** Resolves when the next attempt is due; throws what the call ends with when there is none. */
  async #pause(error: unknown, verdict: FailureVerdict): Promise<void> {
    const { policy } = this.#target;
    this.#options.signal?.throwIfAborted();
    if (error === deadlinePassed) throw this.#late('the attempt');
    this.#lastFailure = error;
    if (!this.#options.idempotent || !verdict.retry || policy.maxAttempts === 1) throw error;
    if (this.#attempts >= policy.maxAttempts) throw errors.attemptsExhausted(this.#progress(), error);
    const backoff = backoffMs(this.#attempts, policy, this.#environment.random);
    const delayMs = Math.max(backoff, verdict.retryAfterMs ?? 0);
    if (delayMs >= this.#deadline.remainingMs()) throw this.#late('the pause before the next attempt', delayMs);
    this.#announce(delayMs);
    await this.#sleep(delayMs);
  }

  #announce(delayMs: number): void {
    try {
      this.#options.onRetry?.({ attempt: this.#attempts + 1, delayMs, error: this.#lastFailure });
    } catch {
      // A listener that fails must not decide whether the work is done.
    }
  }

  async #sleep(ms: number): Promise<void> {
    const { clock, stopping } = this.#environment;
    const { waits } = this.#target;
    const { signal } = this.#options;
    try {
      await clock.sleep(ms, AbortSignal.any([...(signal === undefined ? [] : [signal]), stopping, waits.signal]));
    } catch (reason) {
      throw stopping.aborted ? errors.policyStopped(this.#progress(), this.#cause()) : reason;
    }
  }

  #late(where: string, retryAfterMs = 0): errors.RetryError {
    return errors.deadlineExceeded(this.#progress(), where, retryAfterMs, this.#cause());
  }

  #circuitOpen(): errors.RetryError {
    const inMs = Math.max(this.#target.breaker.breakLeftMs(), shortestPollMs);
    return errors.circuitOpen(this.#progress(), inMs, this.#cause());
  }

  /** The last failure of this call; of the target, when this call never got to it. */
  #cause(): unknown {
    const { breaker } = this.#target;
    return this.#lastFailure ?? (breaker.state === 'closed' ? undefined : breaker.lastCause);
  }

  #progress(): errors.Progress {
    const elapsedMs = this.#environment.clock.now() - this.#startedAt;
    return { operation: this.#options.name, target: this.#target.name, attempts: this.#attempts, elapsedMs };
  }

  // What an attempt asks of its call (`AttemptLimits`).

  get timeoutMs(): number {
    return this.#options.attemptTimeoutMs ?? limitOf(this.#target.policy.attemptTimeoutMs);
  }

  get graceMs(): number {
    return this.#target.policy.cancelGraceMs;
  }

  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  timeoutError(): Error {
    return errors.attemptTimeout(this.#progress(), this.timeoutMs);
  }

  onHealthy(number: number): void {
    if (number !== this.#attempts || this.#permit?.probe !== true) return;
    this.#target.breaker.settle(this.#permit, { availability: 'up' });
  }
}

/** In options 0 stands for no limit. */
function limitOf(ms: number): number {
  return ms === 0 ? Number.POSITIVE_INFINITY : ms;
}
