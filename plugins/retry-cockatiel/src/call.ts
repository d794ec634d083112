import type { Clock } from '@keelson/core';
import {
  attemptsExhausted,
  backoffMs,
  type CallTarget,
  type JudgedFailure,
  policyStopped,
  RetriedCall,
  type RetryError,
  type RetryErrorCode,
  type RetryMetrics,
  type RunningAttempt,
} from '@keelson/core/retry';
import type { CockatielBreaker, Permit } from './cockatiel-breaker.js';
import type { PolicyOptions } from './options.js';

export interface Target extends CallTarget {
  readonly environment: Environment;
  readonly policy: PolicyOptions;
  readonly breaker: CockatielBreaker;
  /** Ends the waits that are under way. */
  waits: AbortController;
}

export interface Environment {
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborts when the policy stops. */
  readonly stopping: AbortSignal;
  /** Undefined where nothing is measured. */
  measured: RetryMetrics | undefined;
}

/** Between two questions whether the probe of another call has come back. */
const shortestPollMs = 10;

/** One `execute`: deadline(retry(breaker(attempt timeout(work)))). */
export class Call<T> extends RetriedCall<T, Target> {
  #failedProbes = 0;

  protected override async waitForPermit(): Promise<Permit> {
    const { breaker, environment } = this.target;
    for (let wait = 1; ; wait++) {
      const delayMs = breaker.breakLeftMs() + shortestPollMs + backoffMs(wait, this.policy, environment.random);
      if (this.policy.whenOpen === 'refuse' || delayMs >= this.deadline.remainingMs()) {
        throw this.circuitOpen(Math.max(breaker.breakLeftMs(), shortestPollMs));
      }
      await this.#sleep(delayMs);
      const permit = breaker.admit();
      if (permit !== undefined) return permit;
    }
  }

  protected override async makeReadyForNext({ retryAfterMs = 0 }: JudgedFailure): Promise<void> {
    if (this.#counted >= this.policy.maxAttempts) {
      throw this.giveUp(attemptsExhausted(this.progress(), this.lastFailure));
    }
    const delayMs = Math.max(
      backoffMs(Math.max(1, this.#counted), this.policy, this.target.environment.random),
      retryAfterMs,
    );
    if (delayMs >= this.deadline.remainingMs()) throw this.late('the pause before the next attempt', delayMs);
    this.target.environment.measured?.retried(this.target.name, this.lastFailure);
    this.announce(delayMs);
    await this.#sleep(delayMs).catch(reason => {
      throw this.explain(reason);
    });
  }

  /** Conflicts have limits of their own, and the breaker sets the pace of probes. */
  get #counted(): number {
    return this.attempts - this.conflicts - this.#failedProbes;
  }

  #sleep(ms: number): Promise<void> {
    const { environment, waits } = this.target;
    const { signal } = this.options;
    const signals = [environment.stopping, waits.signal, ...(signal === undefined ? [] : [signal])];
    return environment.clock.sleep(ms, AbortSignal.any(signals));
  }

  protected override explain(reason: unknown): unknown {
    const { stopping } = this.target.environment;
    if (!stopping.aborted || reason !== stopping.reason) return reason;
    return this.giveUp(policyStopped(this.progress(), this.cause()));
  }

  protected override giveUp(error: RetryError): RetryError {
    this.target.environment.measured?.gaveUp(this.target.name, error.code as RetryErrorCode);
    return error;
  }

  protected override endedAfterRetries(outcome: 'success' | 'failure'): void {
    this.target.environment.measured?.ended(this.target.name, outcome);
  }

  protected override settleSuccess(permit: Permit, { timedOut }: RunningAttempt): void {
    this.target.breaker.settle(permit, { availability: timedOut ? 'down' : 'up' });
  }

  protected override settleFailure(permit: Permit, _attempt: RunningAttempt, failure: JudgedFailure): void {
    if (failure.conflict === true) this.target.environment.measured?.conflicted(this.target.name);
    if (permit.probe && failure.availability === 'down') this.#failedProbes++;
    this.target.breaker.settle(permit, failure, failure.cause);
  }

  protected override giveBack(permit: Permit): void {
    this.target.breaker.settle(permit, { availability: 'unknown' });
  }

  protected override answered(permit: Permit): void {
    if (permit.probe) this.target.breaker.settle(permit, { availability: 'up' });
  }
}
