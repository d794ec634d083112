import type { Deadline } from '@keelson/core';
import { assertAbleToBegin } from '../driver/assert-able.js';
import { NestedOptionsError, type SessionAbortedError } from '../errors/session-errors.js';
import { type DatabaseMetrics, sessionOutcomeOf } from '../metrics.js';
import { beginAtOnce } from '../orm/begin-at-once.js';
import { withOpening } from '../orm/session-driver.js';
import type { SessionEntityManager } from '../orm/session-entity-manager.js';
import type { CommitResolver } from '../transaction/commit-resolver.js';
import { LazyTransaction } from '../transaction/lazy-transaction.js';
import type { Outcome } from '../transaction/outcome.js';
import type { TransactionSettings } from '../transaction/transaction-settings.js';
import { UnitOutcome } from '../transaction/unit-outcome.js';
import { abortInTime } from './abort-in-time.js';
import { positionIn } from './consistency-token.js';
import type { OpenSessionOptions, SessionOptions } from './database-session.js';
import { assertFits } from './nested-options.js';
import { identityOf } from './session-identity.js';
import type { AbortableSession, SessionOpenerParts } from './session-parts.js';
import type { SessionTrace } from './session-trace.js';
import { UnitSession } from './unit-session.js';

export type RepeatFirst = <T>(attempt: () => Promise<T>, outcome: UnitOutcome, signal: AbortSignal) => Promise<T>;

/** One attempt of a session. */
export interface PreparedSessionParts {
  readonly options: SessionOptions;
  readonly deadline: Deadline;
  readonly attempt: number;
  readonly id: string;
  readonly resolver: CommitResolver;
  /** How it is traced. */
  readonly trace: SessionTrace | undefined;
  readonly onEnd: (outcome: Outcome) => void;
  /** What its first statement may do, where the whole cannot run again. */
  readonly repeatFirst?: RepeatFirst;
}

/** A session before its first use: a fork and a transaction that has not begun, watched by a deadline and a signal. */
export class PreparedSession {
  readonly #opener: SessionOpenerParts;
  readonly #parts: PreparedSessionParts;
  readonly #name: string;
  readonly #settings: TransactionSettings;
  readonly #outcome: UnitOutcome;
  readonly #controller = new AbortController();
  readonly #stopWatching: () => void;
  readonly #transaction: LazyTransaction;
  readonly #em: SessionEntityManager;
  readonly #startedAt: number;

  /** @throws when the driver cannot begin a transaction with the options. Sends nothing. */
  constructor(opener: SessionOpenerParts, parts: PreparedSessionParts) {
    const { driver, clock, fork, metrics } = opener;
    const { options, deadline } = parts;
    this.#opener = opener;
    this.#parts = parts;
    this.#settings = settingsOf(options);
    assertAbleToBegin(driver, this.#settings);
    this.#startedAt = metrics === undefined ? 0 : clock.now();
    this.#name = options.name ?? 'session';
    this.#outcome = new UnitOutcome(options.retry === 'never' ? forbidden : undefined);
    const limits = { name: this.#name, deadline, signal: options.signal };
    this.#stopWatching = abortInTime(limits, clock, by => this.#abort(by));
    this.#transaction = this.#newTransaction();
    this.#em = fork(this.#settings.identity);
  }

  async begin(): Promise<void> {
    try {
      await withOpening(this.#transaction, () => this.#em.begin());
    } catch (error) {
      this.#stopWatching();
      this.#parts.trace?.end({ error });
      throw error;
    }
  }

  /** Only while the begin of transactions is not observed. */
  beginAtOnce(): void {
    beginAtOnce(this.#em, this.#transaction);
  }

  open(): AbortableSession {
    const { driver, current, logger, targetOf } = this.#opener;
    const { options, deadline, attempt, id, resolver, trace } = this.#parts;
    trace?.named(id);
    this.#bind();
    const abort = (by: SessionAbortedError) => this.#abort(by);
    const leave = this.#opener.open.enter();
    const session = new UnitSession({
      id,
      name: this.#name,
      attempt,
      em: this.#em,
      transaction: this.#transaction,
      outcome: this.#outcome,
      signal: this.#controller.signal,
      abort,
      deadline,
      current,
      resolver,
      readOnly: this.#settings.readOnly,
      settings: this.#settings,
      driver,
      viaReplicas: targetOf(options).viaReplicas,
      verifyCommitted: options.verifyCommitted,
      logger,
      onEnd: () => {
        this.#stopWatching();
        leave();
        this.#ended();
      },
    });
    return { session, abort };
  }

  #abort(by: SessionAbortedError): void {
    this.#outcome.move({ it: 'was aborted', by });
    this.#controller.abort(by);
  }

  #newTransaction(): LazyTransaction {
    const { driver, proof, clock, observer, cancelGraceMs } = this.#opener;
    const { deadline, trace, repeatFirst } = this.#parts;
    const { signal } = this.#controller;
    const outcome = this.#outcome;
    return new LazyTransaction({
      driver,
      proof,
      settings: this.#settings,
      deadline,
      signal,
      clock,
      observer,
      tracer: trace,
      name: this.#name,
      cancelGraceMs,
      outcome,
      ...(repeatFirst && { repeatFirst: first => repeatFirst(first, outcome, signal) }),
    });
  }

  #bind(): void {
    const { driver, clears } = this.#opener;
    const settings = this.#settings;
    this.#em.bindTo({
      transaction: this.#transaction,
      outcome: this.#outcome,
      ...(!settings.readOnly && { clears }),
      assertFits: ({ isolationLevel, readOnly }) => {
        if (readOnly === true && !settings.readOnly) throw new NestedOptionsError(['readOnly']);
        assertFits({ isolation: isolationLevel }, settings, driver);
      },
    });
  }

  #ended(): void {
    const { metrics, clock } = this.#opener;
    const outcome = this.#outcome.now;
    this.#parts.onEnd(outcome);
    if (metrics === undefined) return;
    metrics.transaction(outcome);
    // A unit that may have several attempts is measured where it runs.
    if (this.#parts.repeatFirst !== undefined) measureEnd(metrics, this.#name, outcome, clock.now() - this.#startedAt);
  }
}

function measureEnd(metrics: DatabaseMetrics, name: string, outcome: Outcome, durationMs: number): void {
  const failure = outcome.is === 'rolling back' || outcome.is === 'rolled back' ? outcome.failure?.error : undefined;
  metrics.session(name, sessionOutcomeOf(outcome), durationMs, 1, outcome.is === 'unknown' ? outcome.error : failure);
}

const forbidden = "safe to repeat, but the session said { retry: 'never' }";

function settingsOf(options: OpenSessionOptions): TransactionSettings {
  const { after: token, maxLagMs, consistencyToken } = options;
  const { isolation, session, deferrable, statementTimeoutMs, lockTimeoutMs, idleTimeoutMs } = options;
  const identity = session && identityOf(session);
  const after = token === undefined ? undefined : positionIn(token);
  // Without a position to reach, no replica is asked.
  const fresh = token !== undefined && after === undefined ? true : options.fresh;
  return {
    readOnly: options.readOnly ?? false,
    ...(identity !== undefined && { identity }),
    ...(fresh !== undefined && { fresh }),
    ...(after !== undefined && { after }),
    ...(maxLagMs !== undefined && { maxLagMs }),
    ...(consistencyToken === true && { tellsPosition: true }),
    ...(isolation !== undefined && { isolation }),
    ...(deferrable !== undefined && { deferrable }),
    ...(statementTimeoutMs !== undefined && { statementTimeoutMs }),
    ...(lockTimeoutMs !== undefined && { lockTimeoutMs }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
  };
}
