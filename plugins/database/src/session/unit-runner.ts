import type { Attempt, Deadline, ExecuteOptions, FailureVerdict } from '@keelson/core';
import { ConnectionError, faultFacts } from '../errors/connection-error.js';
import { originOf } from '../errors/fault-origin.js';
import { readable } from '../errors/readable.js';
import { SessionAbortedError } from '../errors/session-errors.js';
import { outcomeOfFailure } from '../metrics.js';
import { isSilence, judgedWithReplicas, judgeSilence } from '../retry/failure-verdict.js';
import type { OpenSessionOptions, SessionOptions, SessionWork } from './database-session.js';
import { errorOf } from './read-outcome.js';
import type { SessionParts, SessionTarget } from './session-parts.js';
import { SessionTrace } from './session-trace.js';
import type { UnitSession } from './unit-session.js';

type Shared =
  | 'driver'
  | 'proof'
  | 'metrics'
  | 'telemetry'
  | 'tracesStatements'
  | 'shapeOf'
  | 'clock'
  | 'logger'
  | 'retry';

export interface UnitRunnerParts extends Pick<SessionParts, Shared> {
  readonly targetOf: (options: OpenSessionOptions) => SessionTarget;
  /** One more unit is under way until the result is called. Throws when none may be begun. */
  readonly enter: () => () => void;
  readonly deadlineOf: (options: OpenSessionOptions) => Deadline;
  readonly open: (
    options: SessionOptions,
    deadline: Deadline,
    attempt: number,
    trace: SessionTrace | undefined,
  ) => Promise<UnitSession>;
  /** The database has answered; the database could not be reached. */
  readonly onWell: () => void;
  readonly onDown: (cause: unknown) => void;
}

/** Runs a unit of work until it is done, may not be repeated, or its time is over; each attempt in a session of its own. */
export class UnitRunner {
  readonly #parts: UnitRunnerParts;

  constructor(parts: UnitRunnerParts) {
    this.#parts = parts;
  }

  run<T>(work: SessionWork<T>, options: SessionOptions): Promise<T> {
    const name = options.name ?? 'session';
    const trace = SessionTrace.of(this.#parts, name);
    const unit = new Unit(this.#parts, work, options, name, trace);
    return trace === undefined ? unit.run() : traced(unit, trace);
  }
}

async function traced<T>(unit: Unit<T>, trace: SessionTrace): Promise<T> {
  try {
    const result = await trace.run(() => unit.run());
    trace.end();
    return result;
  } catch (error) {
    trace.end({ error });
    throw error;
  }
}

class Unit<T> {
  readonly #parts: UnitRunnerParts;
  readonly #work: SessionWork<T>;
  readonly #options: SessionOptions;
  readonly #name: string;
  readonly #target: SessionTarget;
  readonly #deadline: Deadline;
  readonly #startedAt: number;
  readonly #trace: SessionTrace | undefined;
  #last: UnitSession | undefined;
  /** Of the last attempt, once its work has resolved. */
  #result: { readonly value: T } | undefined;
  /** What the last attempt threw by itself. */
  #thrown: unknown;

  constructor(
    parts: UnitRunnerParts,
    work: SessionWork<T>,
    options: SessionOptions,
    name: string,
    trace: SessionTrace | undefined,
  ) {
    this.#parts = parts;
    this.#work = work;
    this.#options = options;
    this.#name = name;
    this.#target = parts.targetOf(options);
    this.#deadline = parts.deadlineOf(options);
    this.#startedAt = parts.clock.now();
    this.#trace = trace;
  }

  get attempts(): number {
    return this.#last?.attempt ?? 1;
  }

  get durationMs(): number {
    return this.#parts.clock.now() - this.#startedAt;
  }

  async run(): Promise<T> {
    const { retry, metrics } = this.#parts;
    let leave = () => {};
    try {
      leave = this.#parts.enter();
      const result = await retry.execute(attempt => this.#attempt(attempt), this.#executeOptions());
      metrics?.session(this.#name, 'committed', this.durationMs, this.attempts);
      return result;
    } catch (error) {
      // What runs after the commit may take longer than there is time; the unit is done all the same.
      if (this.#last?.state === 'committed' && this.#result !== undefined) {
        metrics?.session(this.#name, 'committed', this.durationMs, this.attempts);
        return this.#result.value;
      }
      const reason = this.#options.signal?.aborted === true ? 'signal' : 'deadline';
      const final = this.#finalError(error, reason);
      metrics?.session(this.#name, outcomeOfFailure(final), this.durationMs, this.attempts, final);
      this.#gaveUp(final);
      throw final;
    } finally {
      leave();
    }
  }

  #finalError(error: unknown, reason: 'deadline' | 'signal'): unknown {
    const last = this.#last;
    const isBetween = last === undefined || last.outcome.is === 'rolled back';
    const seen = isBetween ? this.#asAborted(error) : error;
    if (last === undefined) return seen;
    return errorOf(last.outcome, {
      name: this.#name,
      sessionId: last.id,
      error: seen,
      reason,
      proof: this.#parts.proof.name,
    });
  }

  /** Its caller gave up while no attempt ran: the policy gives the reason of the signal, which may be anything. */
  #asAborted(error: unknown): unknown {
    const { signal } = this.#options;
    const isReason = signal?.aborted === true && error === signal.reason;
    return isReason ? new SessionAbortedError({ name: this.#name, reason: 'signal' }, error) : error;
  }

  #executeOptions(): ExecuteOptions {
    const { retry, signal } = this.#options;
    return {
      name: `database.${this.#name}`,
      target: this.#target.name,
      idempotent: retry !== 'never',
      deadline: this.#deadline,
      // How long a session may take is said by its own deadline, which ends it on the server too.
      attemptTimeoutMs: Number.POSITIVE_INFINITY,
      ...(signal && { signal }),
      classify: error => this.#judge(error),
      onRetry: event => {
        this.#trace?.retrying(event);
        this.#logRetry(event);
      },
    };
  }

  #judge(error: unknown): FailureVerdict {
    const session = this.#last;
    if (session === undefined) return { retry: false, availability: 'unknown' };
    // The work may be ended by a policy of its own, which says the same in its error.
    if (!isSilence(error) || error === this.#thrown) return session.verdict;
    const verdict = judgeSilence(session.outcome);
    return this.#target.viaReplicas ? judgedWithReplicas(verdict, session.outcome.reached) : verdict;
  }

  async #attempt(attempt: Attempt): Promise<T> {
    const { number, deadline, signal } = attempt;
    const trace = this.#trace;
    trace?.beginAttempt(number);
    const session = await this.#parts.open({ ...this.#options, signal }, deadline, number, trace);
    session.transaction.onFirstAnswer(() => attempt.reportHealthy());
    this.#last = session;
    this.#result = undefined;
    return trace === undefined ? this.#runIn(session) : trace.runAttempt(() => this.#runIn(session));
  }

  async #runIn(session: UnitSession): Promise<T> {
    const { onWell, onDown } = this.#parts;
    try {
      const result = await session.run(() => this.#work(session.em, session));
      this.#result = { value: result };
      await session.commit();
      // A replica that answers says nothing of the server that takes writes.
      if (session.outcome.answered && !this.#target.viaReplicas) onWell();
      return result;
    } catch (error) {
      const failure = await session.fail(readable(error));
      this.#thrown = failure;
      if (session.verdict.availability === 'down') onDown(failure);
      throw failure;
    }
  }

  #logRetry({ attempt, delayMs, error }: { attempt: number; delayMs: number; error: unknown }): void {
    const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
    const facts = { ...this.#names, attempt, delayMs: Math.round(delayMs), ...faultFacts(error) };
    const { logger, driver } = this.#parts;
    // Where conflicts are an everyday outcome, one is no news.
    const level = driver.engine.conflicts === 'normal' && this.#last?.verdict.conflict === true ? 'debug' : 'warn';
    logger[level]('retrying a session', typeof code === 'string' ? { ...facts, code } : facts);
  }

  /** What its log lines outside of the session call it: that of the last attempt. */
  get #names(): Record<string, unknown> {
    const { id } = this.#last ?? {};
    return { session: this.#name, ...(id !== undefined && { sessionId: id }) };
  }

  /** A refusal is its caller's to deal with; a database that cannot be reached is an operator's, once: it is reported where it is met. */
  #gaveUp(error: unknown): void {
    const { logger, telemetry, driver } = this.#parts;
    if (!(error instanceof ConnectionError) || (originOf(error) ?? driver) !== driver) return;
    logger.error('a session failed', { ...this.#names, attempts: this.attempts, error });
    const facts = { ...this.#names, attempts: this.attempts, ...faultFacts(error) };
    telemetry.captureError(error, { operation: `database.${this.#name}`, facts });
  }
}
