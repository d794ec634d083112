import { type Clock, Deadline, type FailureVerdict, type Logger, type RetryPolicy } from '@keelson/core';
import type { EntityManager, OpenSessionOptions, SessionOptions } from '../database-service.js';
import type { DatabaseDriver } from '../driver/driver.js';
import { LazyTransaction, type StatementObserver } from '../driver/lazy-transaction.js';
import { withOpening } from '../driver/session-driver.js';
import type { TransactionSettings } from '../driver/transaction-settings.js';
import { SessionAbortedError } from '../errors/session-errors.js';
import { translate } from '../errors/translate.js';
import { isSilence, judgedElsewhere, judgeSilence, judgeWork } from '../retry/failure-verdict.js';
import { CommitResolver } from './commit-resolver.js';
import type { CurrentSession } from './current-session.js';
import type { OpenSessions } from './open-sessions.js';
import { UnitSession } from './unit-session.js';

/** Whose health a session depends on. */
export interface SessionTarget {
  /** For the retry policy. */
  readonly name: string;
  /** Several servers may answer it: the replicas, or else the primary. */
  readonly elsewhere: boolean;
}

export interface SessionOpenerParts {
  readonly driver: DatabaseDriver;
  readonly fork: () => EntityManager;
  readonly current: CurrentSession;
  readonly open: OpenSessions;
  readonly clock: Clock;
  /** Aborts when the driver has closed: nobody can be asked any more. */
  readonly closed: AbortSignal;
  readonly logger: Logger;
  readonly observer: StatementObserver;
  readonly defaultTimeoutMs: number;
  readonly cancelGraceMs: number;
  readonly retry: RetryPolicy;
  readonly targetOf: (options: OpenSessionOptions) => SessionTarget;
}

/** Opens sessions: a fork, a transaction that has not begun, a signal and a deadline. Sends nothing. */
export class SessionOpener {
  readonly #parts: SessionOpenerParts;
  readonly #resolver: CommitResolver;
  #opened = 0;

  constructor(parts: SessionOpenerParts) {
    this.#parts = parts;
    this.#resolver = new CommitResolver(parts.driver, parts.clock, parts.closed);
  }

  deadlineOf(options: OpenSessionOptions): Deadline {
    const own = Deadline.after(options.timeoutMs ?? this.#parts.defaultTimeoutMs, this.#parts.clock);
    return options.deadline !== undefined && options.deadline.at < own.at ? options.deadline : own;
  }

  /** A session that cannot be run again as a whole; its first statement can. */
  openOnce(options: OpenSessionOptions): Promise<UnitSession> {
    const deadline = this.deadlineOf(options);
    return this.open(options, deadline, 1, (attempt, transaction, signal) =>
      this.#repeatFirst(attempt, transaction, options, deadline, signal),
    );
  }

  async open(
    options: SessionOptions,
    deadline: Deadline,
    attempt: number,
    repeatFirst?: <T>(attempt: () => Promise<T>, transaction: LazyTransaction, signal: AbortSignal) => Promise<T>,
  ): Promise<UnitSession> {
    const { driver, clock, current, logger, observer, cancelGraceMs, fork } = this.#parts;
    const name = options.name ?? 'session';
    const controller = new AbortController();
    const stopWatching = this.#abortInTime(controller, name, deadline, options.signal);
    const settings = settingsOf(options);
    const { signal } = controller;
    const transaction: LazyTransaction = new LazyTransaction({
      driver,
      settings,
      deadline,
      signal,
      clock,
      observer,
      cancelGraceMs,
      ...(repeatFirst && { repeatFirst: first => repeatFirst(first, transaction, signal) }),
    });
    const em = fork();
    await withOpening(transaction, () => em.begin()).catch((error: unknown) => {
      stopWatching();
      throw error;
    });
    const leave = this.#parts.open.enter();
    return new UnitSession({
      id: this.#nextId(),
      name,
      attempt,
      em,
      transaction,
      controller,
      deadline,
      current,
      resolver: this.#resolver,
      elsewhere: this.#parts.targetOf(options).elsewhere,
      verifyCommitted: options.verifyCommitted,
      repeatable: options.retry !== 'never',
      logger,
      onEnd: () => {
        stopWatching();
        leave();
      },
    });
  }

  /** The policy, and whoever reads its reports, sees failures as callers do. */
  async #repeatFirst<T>(
    first: () => Promise<T>,
    transaction: LazyTransaction,
    options: OpenSessionOptions,
    deadline: Deadline,
    signal: AbortSignal,
  ): Promise<T> {
    const { name: target, elsewhere } = this.#parts.targetOf(options);
    const seen = (verdict: FailureVerdict) => (elsewhere ? judgedElsewhere(verdict, transaction.reached) : verdict);
    let verdict: FailureVerdict = { retry: false, availability: 'unknown' };
    let asking = false;
    const attempt = () => {
      asking = true;
      return first().catch((error: unknown) => {
        asking = false;
        verdict = seen(
          judgeWork(error, { phase: 'acquire', readOnly: transaction.readOnly, driver: transaction.driver }),
        );
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
      classify: error => (isSilence(error) ? seen(judgeSilence(transaction)) : verdict),
    });
    return execution.catch((error: unknown) => {
      // The policy may see the deadline a moment before the session does; what it means is the same.
      if (!asking || signal.aborted) throw error;
      throw new SessionAbortedError({ name: options.name ?? 'session', reason: 'deadline' }, error);
    });
  }

  #abortInTime(controller: AbortController, name: string, deadline: Deadline, signal?: AbortSignal): () => void {
    const onSignal = () => controller.abort(new SessionAbortedError({ name, reason: why(deadline) }, signal?.reason));
    const onDeadline = () => controller.abort(new SessionAbortedError({ name, reason: 'deadline' }));
    if (signal?.aborted === true) onSignal();
    else signal?.addEventListener('abort', onSignal, { once: true });
    const remainingMs = deadline.remainingMs();
    const timer = Number.isFinite(remainingMs) ? this.#parts.clock.schedule(remainingMs, onDeadline) : undefined;
    return () => {
      timer?.cancel();
      signal?.removeEventListener('abort', onSignal);
    };
  }

  #nextId(): string {
    this.#opened += 1;
    return `${processPart}-${this.#opened.toString(36)}`;
  }
}

/** A timer may fire this much before its time. */
const earlyMs = 2;

/** The signal of an attempt aborts at the deadline too, and may do so before the timer here. */
function why(deadline: Deadline): 'deadline' | 'signal' {
  return deadline.remainingMs() <= earlyMs ? 'deadline' : 'signal';
}

/** Tells the sessions of one process from those of another in shared logs. */
const processPart = Math.floor(Math.random() * 36 ** 4)
  .toString(36)
  .padStart(4, '0');

function settingsOf(options: OpenSessionOptions): TransactionSettings {
  const { isolation, deferrable, fresh, statementTimeoutMs, lockTimeoutMs, idleTimeoutMs } = options;
  return {
    readOnly: options.readOnly ?? false,
    ...(fresh !== undefined && { fresh }),
    ...(isolation !== undefined && { isolation }),
    ...(deferrable !== undefined && { deferrable }),
    ...(statementTimeoutMs !== undefined && { statementTimeoutMs }),
    ...(lockTimeoutMs !== undefined && { lockTimeoutMs }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
  };
}
