import { type Attempt, currentDeadline, Deadline, type FailureVerdict } from '@keelson/core';
import { SessionAbortedError } from '../errors/session-errors.js';
import { translate } from '../errors/translate.js';
import { isSilence, judgedWithReplicas, judgeSilence, judgeWork } from '../retry/failure-verdict.js';
import { CommitResolver } from '../transaction/commit-resolver.js';
import type { UnitOutcome } from '../transaction/unit-outcome.js';
import type { OpenSessionOptions, SessionOptions } from './database-session.js';
import { PreparedSession } from './prepared-session.js';
import type { SessionOpenerParts } from './session-parts.js';
import { SessionTrace } from './session-trace.js';
import type { UnitSession } from './unit-session.js';

interface FirstStatement {
  readonly outcome: UnitOutcome;
  readonly options: OpenSessionOptions;
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
  readonly trace: SessionTrace | undefined;
}

/** Opens sessions. Sends nothing. */
export class SessionOpener {
  readonly #parts: SessionOpenerParts;
  readonly #resolver: CommitResolver;
  #opened = 0;

  constructor(parts: SessionOpenerParts) {
    this.#parts = parts;
    this.#resolver = new CommitResolver(parts.proof, parts.clock, parts.closed, (proof, resolution) =>
      parts.metrics?.resolved(proof, resolution),
    );
  }

  deadlineOf(options: OpenSessionOptions): Deadline {
    const { timeoutMs = this.#parts.defaultTimeoutMs } = options;
    // What is no number would never be over.
    const ownMs = Number.isNaN(timeoutMs) ? this.#parts.defaultTimeoutMs : timeoutMs;
    const own = Deadline.after(ownMs, this.#parts.clock);
    return Deadline.earliest(own, options.deadline, currentDeadline());
  }

  /** A session that cannot be run again as a whole; its first statement can. For a begin that is observed. */
  async openOnce(
    options: OpenSessionOptions,
    deadline: Deadline = this.deadlineOf(options),
    id: string = this.nextId(),
  ): Promise<UnitSession> {
    const prepared = this.#prepareOnce(options, deadline, id);
    await prepared.begin();
    return prepared.open();
  }

  /** The same at once; only while the begin of transactions is not observed. */
  openOnceNow(
    options: OpenSessionOptions,
    deadline: Deadline = this.deadlineOf(options),
    id: string = this.nextId(),
  ): UnitSession {
    return this.#prepareOnce(options, deadline, id).open();
  }

  /** For one attempt of a unit, which `trace` is that of. */
  async open(
    options: SessionOptions,
    deadline: Deadline,
    attempt: number,
    trace: SessionTrace | undefined,
  ): Promise<UnitSession> {
    const prepared = new PreparedSession(this.#parts, {
      options,
      deadline,
      attempt,
      id: this.nextId(),
      resolver: this.#resolver,
      trace,
      onEnd: outcome => trace?.attemptEnded(outcome),
    });
    if (this.#parts.isBeginObserved()) await prepared.begin();
    return prepared.open();
  }

  nextId(): string {
    this.#opened += 1;
    return `${processPart}-${this.#opened.toString(36)}`;
  }

  #prepareOnce(options: OpenSessionOptions, deadline: Deadline, id: string) {
    const trace = SessionTrace.of(this.#parts, options.name ?? 'session');
    trace?.beginAttempt(1);
    try {
      return new PreparedSession(this.#parts, {
        options,
        deadline,
        attempt: 1,
        id,
        resolver: this.#resolver,
        trace,
        onEnd: outcome => trace?.endWith(outcome),
        repeatFirst: (attempt, outcome, signal) =>
          this.#repeatFirst(attempt, { outcome, options, deadline, signal, trace }),
      });
    } catch (error) {
      trace?.end({ error });
      throw error;
    }
  }

  /** The policy, and readers of its reports, see failures as callers do. */
  async #repeatFirst<T>(
    first: () => Promise<T>,
    { outcome, options, deadline, signal, trace }: FirstStatement,
  ): Promise<T> {
    const { driver } = this.#parts;
    const { name: target, viaReplicas } = this.#parts.targetOf(options);
    const seen = (verdict: FailureVerdict) =>
      viaReplicas ? judgedWithReplicas(verdict, outcome.now.reached) : verdict;
    let verdict: FailureVerdict = { retry: false, availability: 'unknown' };
    let asking = false;
    const attempt = ({ number }: Attempt) => {
      asking = true;
      if (number > 1) trace?.beginAttempt(number);
      return first().catch((error: unknown) => {
        asking = false;
        verdict = seen(judgeWork(error, { phase: 'acquire', readOnly: options.readOnly ?? false, driver }));
        throw translate(error);
      });
    };
    const execution = this.#parts.retry.execute(attempt, {
      name: 'database.first-statement',
      target,
      idempotent: true,
      deadline,
      signal,
      attemptTimeoutMs: Number.POSITIVE_INFINITY,
      classify: error => {
        const judged = isSilence(error) ? seen(judgeSilence(outcome.now)) : verdict;
        // The policy announces the next attempt only when no breaker makes it wait.
        if (judged.retry) trace?.attemptFailed(error);
        return judged;
      },
      ...(trace !== undefined && { onRetry: event => trace.retrying(event) }),
    });
    return execution.catch((error: unknown) => {
      // The policy may see the deadline a moment before the session does; what it means is the same.
      if (!asking || signal.aborted) throw error;
      throw new SessionAbortedError({ name: options.name ?? 'session', reason: 'deadline' }, error);
    });
  }
}

/** Keeps the sessions of one process apart from those of another in shared logs. */
const processPart = Math.floor(Math.random() * 36 ** 4)
  .toString(36)
  .padStart(4, '0');
