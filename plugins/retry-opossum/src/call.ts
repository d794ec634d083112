import * as errors from '@keelson/core/retry';
import { backoffMs, type JudgedFailure, RetriedCall, type RunningAttempt, saysNothing } from '@keelson/core/retry';
import type { Permit } from './circuit-breaker.js';
import { heldOpen, stopped, type Target } from './target.js';
import { waitedTooLong } from './waiting-room.js';

/** One `execute`: deadline(bulkhead(retry(breaker(attempt timeout(work))))). */
export class Call<T> extends RetriedCall<T, Target> {
  /** All attempts but failed probes: the breaker set their pace, and they were not more than it allows. */
  #countedAttempts = 0;
  /** Counted attempts at the last `onRetry`: failed probes do not trigger one each. */
  #announcedAfter = 0;
  /** What the target had answered, to anybody, when the attempt that runs began. */
  #answersBefore = 0;
  /** A token of the budget is set aside for the next attempt. */
  #holdsToken = false;

  protected override runInTurn(): Promise<T> {
    return this.policy.bulkhead.maxConcurrentCalls === 0 ? this.tryUntilDone() : this.#tryInBulkhead();
  }

  async #tryInBulkhead(): Promise<T> {
    await this.#enterBulkhead();
    try {
      return await this.tryUntilDone();
    } finally {
      this.target.bulkhead.leave();
    }
  }

  async #enterBulkhead(): Promise<void> {
    const { bulkhead } = this.target;
    if (bulkhead.tryEnter()) return;
    if (bulkhead.full) throw this.giveUp(errors.bulkheadFull(this.progress(), this.policy.bulkhead));
    await bulkhead.enter(this.deadline, this.options.signal).catch((reason: unknown) => {
      throw this.explain(reason, 'a free place');
    });
  }

  protected override waitForPermit(): Promise<Permit> {
    this.#releaseToken();
    const { breaker, queue, counters } = this.target;
    const inMs = breaker.breakLeftMs();
    if (this.policy.whenOpen === 'refuse' || inMs >= this.deadline.remainingMs()) throw this.circuitOpen();
    if (queue.full) {
      const { maxWaiters } = this.policy.waiting;
      throw this.giveUp(errors.waitersFull(this.progress(), maxWaiters, inMs, this.cause()));
    }
    counters.waits++;
    this.announce(inMs);
    return queue.wait(this.deadline, this.options.signal);
  }

  protected override giveBack(permit: Permit): void {
    this.#releaseToken();
    this.target.settle(permit, { availability: 'unknown', durationMs: 0 });
  }

  protected override beginAttempt(): void {
    const { answers, budget, counters } = this.target;
    counters.attempts++;
    if (this.attempts === 1) {
      counters.calls++;
      budget.earn(this.startedAt);
    }
    if (this.#holdsToken) this.#spendToken();
    this.#answersBefore = answers;
  }

  #spendToken(): void {
    const { budget, counters, observer, name } = this.target;
    this.#holdsToken = false;
    budget.spend(this.now());
    counters.retries++;
    observer.retried?.(name, this.lastFailure);
  }

  protected override endedAfterRetries(outcome: 'success' | 'failure'): void {
    this.target.observer.ended?.(this.target.name, outcome);
  }

  #releaseToken(): void {
    if (this.#holdsToken) this.target.budget.release();
    this.#holdsToken = false;
  }

  protected override answered(permit: Permit): void {
    this.target.answer(permit);
  }

  protected override settleSuccess(permit: Permit, attempt: RunningAttempt): void {
    const durationMs = this.#tellingMs(attempt);
    this.target.settle(permit, { availability: attempt.timedOut ? 'down' : 'up', durationMs });
  }

  protected override settleFailure(permit: Permit, attempt: RunningAttempt, failure: JudgedFailure): void {
    if (failure.conflict === true) this.#countConflict();
    this.target.settle(permit, { ...failure, durationMs: failure.conflict ? 0 : this.#tellingMs(attempt) });
  }

  #countConflict(): void {
    const { counters, observer, name } = this.target;
    counters.conflicts++;
    observer.conflicted?.(name);
  }

  /** How long it took, as far as that says anything of the target. */
  #tellingMs(attempt: RunningAttempt): number {
    return this.options.attemptTimeoutMs === Number.POSITIVE_INFINITY ? 0 : this.now() - attempt.startedAt;
  }

  /**
   * An abandoned attempt proves nothing about the target, unless the target answered no caller meanwhile: so looks a
   * server that is frozen, or behind a network that swallows packets.
   */
  protected override judgeSilence(attempt: RunningAttempt): JudgedFailure {
    const { silenceMs } = this.policy.breaker;
    const ranMs = Math.round(this.now() - attempt.startedAt);
    const cause = errors.attemptTimeout(this.progress(), ranMs);
    const silent = silenceMs > 0 && ranMs >= silenceMs && this.target.answers === this.#answersBefore;
    return { ...(silent ? this.classify(cause) : saysNothing), cause };
  }

  protected override async makeReadyForNext(failure: JudgedFailure, permit: Permit): Promise<void> {
    if (this.target.isStopped) throw this.explain(stopped, 'a further attempt');
    if (!(permit.probe && failure.availability === 'down')) this.#countedAttempts++;
    if (this.#countedAttempts >= this.policy.maxAttempts) {
      throw this.giveUp(errors.attemptsExhausted(this.progress(), this.lastFailure));
    }
    if (this.#mustPause(failure)) await this.#pause(failure);
  }

  /** While the breaker is not closed it sets the pace: what waits for it sends nothing, and so pays nothing. */
  #mustPause({ availability }: JudgedFailure): boolean {
    const { state } = this.target.breaker;
    if (state === 'half-open') return availability !== 'down';
    return state === 'closed' || state === 'held-closed';
  }

  async #pause({ retryAfterMs = 0 }: JudgedFailure): Promise<void> {
    const { budget, environment, pauses } = this.target;
    const retry = Math.max(1, this.#countedAttempts);
    const delayMs = Math.max(backoffMs(retry, this.policy, environment.random), retryAfterMs);
    if (delayMs >= this.deadline.remainingMs()) throw this.late('the pause before the next attempt', delayMs);
    if (!budget.reserve(this.now())) throw this.giveUp(errors.budgetExhausted(this.progress(), this.lastFailure));
    this.#holdsToken = true;
    this.announce(delayMs);
    await pauses.wait(this.deadline.within(delayMs), this.options.signal).catch((reason: unknown) => {
      if (reason === waitedTooLong) return;
      this.#releaseToken();
      throw this.explain(reason, 'the pause before the next attempt');
    });
  }

  protected override announce(delayMs: number): void {
    if (this.#announcedAfter === this.#countedAttempts) return;
    this.#announcedAfter = this.#countedAttempts;
    super.announce(delayMs);
  }

  protected override explain(reason: unknown, awaited: string): unknown {
    if (reason === waitedTooLong) return this.late(awaited);
    if (reason === heldOpen) return this.circuitOpen();
    if (reason === stopped) return this.giveUp(errors.policyStopped(this.progress(), this.cause()));
    return reason;
  }

  protected override giveUp(error: errors.RetryError): errors.RetryError {
    this.target.counters.giveUps++;
    this.target.observer.gaveUp?.(this.target.name, error.code as errors.RetryErrorCode);
    return error;
  }
}
