import { type Attempt, Deadline, type ExecuteOptions, type FailureVerdict } from '@keelson/core';
import * as errors from '@keelson/core/retry';
import { backoffMs, deadlinePassed, defaultVerdict, RunningAttempt, saysNothing } from '@keelson/core/retry';
import type { Permit } from './circuit-breaker.js';
import type { PolicyOptions } from './options.js';
import { heldOpen, stopped, type Target } from './target.js';
import { waitedTooLong } from './waiting-room.js';

interface Judged extends FailureVerdict {
  /** What the target is to be blamed with, when it is. */
  readonly cause: unknown;
}

/** One `execute`, from its first attempt to its end: deadline(bulkhead(retry(breaker(attempt timeout(work))))). */
export class Call<T> {
  readonly #work: (attempt: Attempt) => Promise<T>;
  readonly #options: ExecuteOptions;
  readonly #target: Target;
  /** As it was when the call began. */
  readonly #policy: PolicyOptions;
  readonly #startedAt: number;
  readonly #deadline: Deadline;
  /** Sent to the target. */
  #attempts = 0;
  /** Of these, all but failed probes: the breaker set their pace, and they were not more than it allows. */
  #countedAttempts = 0;
  /** Counted attempts when the next one was last told of: failed probes are not worth a word each. */
  #announcedAfter = 0;
  /** Of the attempt that runs. */
  #permit: Permit | undefined;
  /** What the target had answered, to anybody, when that attempt began. */
  #answersBefore = 0;
  /** A token of the budget is set aside for the next attempt. */
  #holdsToken = false;
  #lastFailure: unknown;

  constructor(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions, target: Target) {
    const { clock } = target.environment;
    this.#work = work;
    this.#options = options;
    this.#target = target;
    this.#policy = target.policy;
    this.#startedAt = clock.now();
    this.#deadline = options.deadline ?? Deadline.after(limitOf(target.policy.deadlineMs), clock);
  }

  run(): Promise<T> {
    if (this.#options.signal?.aborted) return Promise.reject(this.#options.signal.reason);
    if (this.#deadline.at <= this.#startedAt) return Promise.reject(this.#late('a first attempt'));
    return this.#policy.bulkhead.maxConcurrentCalls === 0 ? this.#tryUntilDone() : this.#tryInBulkhead();
  }

  async #tryInBulkhead(): Promise<T> {
    await this.#enterBulkhead();
    try {
      return await this.#tryUntilDone();
    } finally {
      this.#target.bulkhead.leave();
    }
  }

  /** Waits here and not in a step of its own: thousands may, and each step would keep its state. */
  async #tryUntilDone(): Promise<T> {
    for (;;) {
      let permit = this.#target.breaker.admit();
      if (permit === undefined) {
        this.#releaseToken();
        try {
          permit = await this.#waitForPermit();
        } catch (reason) {
          throw this.#explain(reason, `"${this.#target.name}" to come back`);
        }
        if (this.#options.signal?.aborted) throw this.#handBack(permit);
      }
      const attempt = this.#nextAttempt(permit);
      try {
        const value = await attempt.run(this.#work);
        const durationMs = this.#tellingMs(attempt);
        this.#target.settle(permit, { availability: attempt.timedOut ? 'down' : 'up', durationMs });
        return value;
      } catch (error) {
        const verdict = this.#judge(error, attempt);
        this.#target.settle(permit, { ...verdict, durationMs: this.#tellingMs(attempt) });
        await this.#makeReadyForNext(error, verdict, permit);
      }
    }
  }

  /** How long it took, as far as that says anything of the target. */
  #tellingMs(attempt: RunningAttempt): number {
    return this.#options.attemptTimeoutMs === Number.POSITIVE_INFINITY ? 0 : this.#now() - attempt.startedAt;
  }

  async #enterBulkhead(): Promise<void> {
    const { bulkhead } = this.#target;
    if (bulkhead.tryEnter()) return;
    if (bulkhead.full) throw this.#giveUp(errors.bulkheadFull(this.#progress(), this.#policy.bulkhead));
    await bulkhead.enter(this.#deadline, this.#options.signal).catch((reason: unknown) => {
      throw this.#explain(reason, 'a free place');
    });
  }

  #waitForPermit(): Promise<Permit> {
    const { breaker, gate, counters } = this.#target;
    const inMs = breaker.breakLeftMs();
    if (this.#policy.whenOpen === 'refuse' || inMs >= this.#deadline.remainingMs()) throw this.#circuitOpen();
    if (gate.full) {
      const { maxWaiters } = this.#policy.waiting;
      throw this.#giveUp(errors.waitersFull(this.#progress(), maxWaiters, inMs, this.#cause()));
    }
    counters.waits++;
    this.#announce(inMs);
    return gate.wait(this.#deadline, this.#options.signal);
  }

  /** The caller gave up between being let go and going on. */
  #handBack(permit: Permit): unknown {
    this.#target.settle(permit, { availability: 'unknown', durationMs: 0 });
    return this.#options.signal?.reason;
  }

  #nextAttempt(permit: Permit): RunningAttempt {
    const { answers, budget, counters, environment } = this.#target;
    counters.attempts++;
    if (++this.#attempts === 1) {
      counters.calls++;
      budget.earn(this.#startedAt);
    }
    if (this.#holdsToken) this.#spendToken();
    this.#permit = permit;
    this.#answersBefore = answers;
    return new RunningAttempt(this.#attempts, this.#deadline, environment.clock, this);
  }

  #spendToken(): void {
    const { budget, counters, observer, name } = this.#target;
    this.#holdsToken = false;
    budget.spend(this.#now());
    counters.retries++;
    observer.retried?.(name);
  }

  #releaseToken(): void {
    if (this.#holdsToken) this.#target.budget.release();
    this.#holdsToken = false;
  }

  #judge(error: unknown, attempt: RunningAttempt): Judged {
    if (error === deadlinePassed || this.#options.signal?.aborted) return this.#judgeSilence(attempt);
    const verdict = this.#classify(error);
    return { ...verdict, cause: error, ...(attempt.timedOut && { availability: 'down' }) };
  }

  /**
   * That nobody waited for its end says nothing of the target, unless the target answered nobody meanwhile: so looks a
   * server that is frozen, or behind a network that swallows packets.
   */
  #judgeSilence(attempt: RunningAttempt): Judged {
    const { silenceMs } = this.#policy.breaker;
    const ranMs = Math.round(this.#now() - attempt.startedAt);
    const cause = errors.attemptTimeout(this.#progress(), ranMs);
    const silent = silenceMs > 0 && ranMs >= silenceMs && this.#target.answers === this.#answersBefore;
    return { ...(silent ? this.#classify(cause) : saysNothing), cause };
  }

  #classify(error: unknown): FailureVerdict {
    const { classify, idempotent } = this.#options;
    try {
      if (classify !== undefined) return classify(error);
    } catch {
      return saysNothing;
    }
    return defaultVerdict(error, idempotent);
  }

  /** Resolves when the next attempt may be asked for; throws what the call ends with when there is none. */
  async #makeReadyForNext(error: unknown, verdict: FailureVerdict, permit: Permit): Promise<void> {
    if (this.#options.signal?.aborted) throw this.#options.signal.reason;
    if (error === deadlinePassed) throw this.#late('the attempt');
    this.#lastFailure = error;
    const { maxAttempts } = this.#policy;
    if (!this.#options.idempotent || !verdict.retry || maxAttempts === 1) throw error;
    if (this.#target.isStopped) throw this.#explain(stopped, 'a further attempt');
    if (!(permit.probe && verdict.availability === 'down')) this.#countedAttempts++;
    if (this.#countedAttempts >= maxAttempts) throw this.#giveUp(errors.attemptsExhausted(this.#progress(), error));
    if (this.#mustPause(verdict)) await this.#pause(verdict);
  }

  /** While the breaker is not closed it sets the pace: what waits for it sends nothing, and so pays nothing. */
  #mustPause(verdict: FailureVerdict): boolean {
    const { state } = this.#target.breaker;
    if (state === 'half-open') return verdict.availability !== 'down';
    return state === 'closed' || state === 'held-closed';
  }

  async #pause(verdict: FailureVerdict): Promise<void> {
    const { budget, environment, pauses } = this.#target;
    const retry = Math.max(1, this.#countedAttempts);
    const delayMs = Math.max(backoffMs(retry, this.#policy, environment.random), verdict.retryAfterMs ?? 0);
    if (delayMs >= this.#deadline.remainingMs()) throw this.#late('the pause before the next attempt', delayMs);
    if (!budget.reserve(this.#now())) throw this.#giveUp(errors.budgetExhausted(this.#progress(), this.#lastFailure));
    this.#holdsToken = true;
    this.#announce(delayMs);
    await pauses.wait(this.#deadline.within(delayMs), this.#options.signal).catch((reason: unknown) => {
      if (reason === waitedTooLong) return;
      this.#releaseToken();
      throw this.#explain(reason, 'the pause before the next attempt');
    });
  }

  #announce(delayMs: number): void {
    if (this.#announcedAfter === this.#countedAttempts) return;
    this.#announcedAfter = this.#countedAttempts;
    try {
      this.#options.onRetry?.({ attempt: this.#attempts + 1, delayMs, error: this.#lastFailure });
    } catch {
      // A listener that fails must not decide whether the work is done.
    }
  }

  #explain(reason: unknown, awaited: string): unknown {
    if (reason === waitedTooLong) return this.#late(awaited);
    if (reason === heldOpen) return this.#circuitOpen();
    if (reason === stopped) return this.#giveUp(errors.policyStopped(this.#progress(), this.#cause()));
    return reason;
  }

  #late(where: string, retryAfterMs = 0): errors.RetryError {
    return this.#giveUp(errors.deadlineExceeded(this.#progress(), where, retryAfterMs, this.#cause()));
  }

  #circuitOpen(): errors.RetryError {
    const inMs = this.#target.breaker.breakLeftMs();
    return this.#giveUp(errors.circuitOpen(this.#progress(), inMs, this.#cause()));
  }

  #giveUp(error: errors.RetryError): errors.RetryError {
    this.#target.counters.giveUps++;
    this.#target.observer.gaveUp?.(this.#target.name, error.code as errors.RetryErrorCode);
    return error;
  }

  /** The last failure of this call; of the target, when this call never got to it. */
  #cause(): unknown {
    return this.#lastFailure ?? (this.#target.breaker.state === 'closed' ? undefined : this.#target.breaker.lastCause);
  }

  #progress(): errors.Progress {
    const elapsedMs = this.#now() - this.#startedAt;
    return { operation: this.#options.name, target: this.#target.name, attempts: this.#attempts, elapsedMs };
  }

  #now(): number {
    return this.#target.environment.clock.now();
  }

  // What an attempt asks of its call (`AttemptLimits`).

  get timeoutMs(): number {
    return this.#options.attemptTimeoutMs ?? limitOf(this.#policy.attemptTimeoutMs);
  }

  get graceMs(): number {
    return this.#policy.cancelGraceMs;
  }

  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  timeoutError(): Error {
    return errors.attemptTimeout(this.#progress(), this.timeoutMs);
  }

  onHealthy(number: number): void {
    if (number === this.#attempts && this.#permit !== undefined) this.#target.answer(this.#permit);
  }
}

/** In options 0 stands for no limit. */
function limitOf(ms: number): number {
  return ms === 0 ? Number.POSITIVE_INFINITY : ms;
}
