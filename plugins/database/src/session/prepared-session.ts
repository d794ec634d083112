import type { Clock, Deadline, Logger } from '@keelson/core';
import { assertAbleToBegin } from '../driver/assert-able.js';
import type { DatabaseDriver } from '../driver/driver.js';
import { NestedOptionsError, type SessionAbortedError } from '../errors/session-errors.js';
import { type DatabaseMetrics, sessionOutcomeOf } from '../metrics.js';
import { beginAtOnce } from '../orm/begin-at-once.js';
import { withOpening } from '../orm/session-driver.js';
import type { SessionEntityManager } from '../orm/session-entity-manager.js';
import type { CommitProof } from '../proof/commit-proof.js';
import type { CommitResolver } from '../transaction/commit-resolver.js';
import { LazyTransaction, type LazyTransactionOptions } from '../transaction/lazy-transaction.js';
import type { Outcome } from '../transaction/outcome.js';
import type { StatementObserver } from '../transaction/statement-observer.js';
import type { TransactionSettings } from '../transaction/transaction-settings.js';
import { UnitOutcome } from '../transaction/unit-outcome.js';
import { abortInTime, type Limits } from './abort-in-time.js';
import { positionIn } from './consistency-token.js';
import type { CurrentSession } from './current-session.js';
import type { OpenSessionOptions, SessionOptions } from './database-session.js';
import { assertFits } from './nested-options.js';
import { identityOf } from './session-identity.js';
import type { SessionOpenerParts } from './session-parts.js';
import type { SessionTrace } from './session-trace.js';
import { UnitSession, type UnitSessionParts } from './unit-session.js';

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

/**
 * What one session is made of. The EntityManager, the transaction, and the signal with its timer are made when they are
 * first used: most of what a session costs is theirs, and a session may need none of it.
 */
export class PreparedSession implements UnitSessionParts, LazyTransactionOptions {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly deadline: Deadline;
  readonly settings: TransactionSettings;
  readonly outcome: UnitOutcome;
  readonly resolver: CommitResolver;
  readonly verifyCommitted: (() => Promise<boolean>) | undefined;
  readonly tracer: SessionTrace | undefined;
  readonly viaReplicas: boolean;
  readonly #opener: SessionOpenerParts;
  readonly #parts: PreparedSessionParts;
  readonly #startedAt: number;
  readonly #leave: () => void;
  #controller: AbortController | undefined;
  #abortedBy: SessionAbortedError | undefined;
  #stopWatching: (() => void) | undefined;
  #transaction: LazyTransaction | undefined;
  #em: SessionEntityManager | undefined;
  #isOver = false;

  /** @throws when the driver cannot begin a transaction with the options. Sends nothing. */
  constructor(opener: SessionOpenerParts, parts: PreparedSessionParts) {
    const { driver, clock, metrics } = opener;
    const { options, trace } = parts;
    this.settings = settingsOf(options);
    assertAbleToBegin(driver, this.settings);
    this.#opener = opener;
    this.#parts = parts;
    this.id = parts.id;
    this.name = options.name ?? 'session';
    this.attempt = parts.attempt;
    this.deadline = parts.deadline;
    this.resolver = parts.resolver;
    this.verifyCommitted = options.verifyCommitted;
    this.tracer = trace;
    this.viaReplicas = opener.targetOf(options).viaReplicas;
    this.outcome = new UnitOutcome(options.retry === 'never' ? forbidden : undefined);
    this.#startedAt = metrics === undefined ? 0 : clock.now();
    this.#leave = opener.open.enter();
  }

  get driver(): DatabaseDriver {
    return this.#opener.driver;
  }

  get proof(): CommitProof {
    return this.#opener.proof;
  }

  get clock(): Clock {
    return this.#opener.clock;
  }

  get observer(): StatementObserver {
    return this.#opener.observer;
  }

  get logger(): Logger {
    return this.#opener.logger;
  }

  get current(): CurrentSession<UnitSession> {
    return this.#opener.current;
  }

  get cancelGraceMs(): number {
    return this.#opener.cancelGraceMs;
  }

  get readOnly(): boolean {
    return this.settings.readOnly;
  }

  get repeatFirst(): LazyTransactionOptions['repeatFirst'] {
    const { repeatFirst } = this.#parts;
    return repeatFirst && (first => repeatFirst(first, this.outcome, this.signal));
  }

  get isUnused(): boolean {
    return this.#em === undefined && this.#transaction === undefined && !this.#opener.isObserved();
  }

  get em(): SessionEntityManager {
    if (this.#em === undefined) {
      this.#em = this.#fork();
      if (!this.#isOver) beginAtOnce(this.#em, this.transaction);
      this.#bind(this.#em);
    }
    return this.#em;
  }

  get transaction(): LazyTransaction {
    if (this.#transaction === undefined) {
      this.#transaction = new LazyTransaction(this);
      this.#watch();
    }
    return this.#transaction;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortedBy !== undefined) this.#controller.abort(this.#abortedBy);
      this.#watch();
    }
    return this.#controller.signal;
  }

  /** Begins as MikroORM does, for subscribers that take part in it. */
  async begin(): Promise<void> {
    const em = this.#fork();
    try {
      await withOpening(this.transaction, () => em.begin());
    } catch (error) {
      this.#end();
      this.#parts.trace?.end({ error });
      throw error;
    }
    this.#em = em;
    this.#bind(em);
  }

  open(): UnitSession {
    this.#parts.trace?.named(this.id);
    return new UnitSession(this);
  }

  abort(by: SessionAbortedError): void {
    this.#abortedBy ??= by;
    this.outcome.move({ it: 'was aborted', by });
    this.#controller?.abort(by);
  }

  onEnd(): void {
    const { metrics, clock } = this.#opener;
    this.#seeTime();
    this.#end();
    const outcome = this.outcome.now;
    this.#parts.onEnd(outcome);
    if (metrics === undefined) return;
    metrics.transaction(outcome);
    // A unit that may have several attempts is measured where it runs.
    if (this.#parts.repeatFirst !== undefined) measureEnd(metrics, this.name, outcome, clock.now() - this.#startedAt);
  }

  #fork(): SessionEntityManager {
    return this.#opener.fork(this.settings.identity);
  }

  #bind(em: SessionEntityManager): void {
    const { driver, settings } = this;
    em.bindTo({
      transaction: this.transaction,
      outcome: this.outcome,
      ...(!settings.readOnly && { clears: this.#opener.clears }),
      assertFits: ({ isolationLevel, readOnly }) => {
        if (readOnly === true && !settings.readOnly) throw new NestedOptionsError(['readOnly']);
        assertFits({ isolation: isolationLevel }, settings, driver);
      },
    });
  }

  /** From now on its deadline and the signal of its caller end it. */
  #watch(): void {
    if (this.#isOver || this.#stopWatching !== undefined) return;
    this.#stopWatching = abortInTime(this.#limits, this.clock, by => this.abort(by));
  }

  /** What ends before it was watched has run out of time all the same. */
  #seeTime(): void {
    if (this.#stopWatching !== undefined) return;
    const { deadline, signal } = this.#limits;
    if (deadline.passed || signal?.aborted === true) this.#watch();
  }

  get #limits(): Limits {
    return { name: this.name, deadline: this.deadline, signal: this.#parts.options.signal };
  }

  #end(): void {
    this.#isOver = true;
    this.#stopWatching?.();
    this.#leave();
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
