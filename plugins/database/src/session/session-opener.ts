import {
  type Attempt,
  type Clock,
  currentDeadline,
  Deadline,
  type FailureVerdict,
  type Logger,
  type RetryPolicy,
  type Telemetry,
} from '@keelson/core';
import { assertAbleToBegin } from '../driver/assert-able.js';
import type { DatabaseDriver } from '../driver/driver.js';
import { NestedOptionsError, SessionAbortedError } from '../errors/session-errors.js';
import { translate } from '../errors/translate.js';
import { type DatabaseMetrics, sessionOutcomeOf } from '../metrics.js';
import { beginAtOnce } from '../orm/begin-at-once.js';
import type { ClearWatch } from '../orm/clear-watch.js';
import { withOpening } from '../orm/session-driver.js';
import type { SessionEntityManager } from '../orm/session-entity-manager.js';
import type { CommitProof } from '../proof/commit-proof.js';
import { isSilence, judgedWithReplicas, judgeSilence, judgeWork } from '../retry/failure-verdict.js';
import { CommitResolver } from '../transaction/commit-resolver.js';
import type { Identity } from '../transaction/identity.js';
import { LazyTransaction } from '../transaction/lazy-transaction.js';
import type { Outcome } from '../transaction/outcome.js';
import type { StatementObserver } from '../transaction/statement-observer.js';
import type { TransactionSettings } from '../transaction/transaction-settings.js';
import { UnitOutcome } from '../transaction/unit-outcome.js';
import { abortInTime } from './abort-in-time.js';
import { positionIn } from './consistency-token.js';
import type { CurrentSession } from './current-session.js';
import type { OpenSessionOptions, SessionOptions } from './database-session.js';
import { assertFits } from './nested-options.js';
import type { OpenSessions } from './open-sessions.js';
import { identityOf } from './session-identity.js';
import { SessionTrace } from './session-trace.js';
import { UnitSession } from './unit-session.js';

/** How a session is traced, and what its first statement may do. */
interface Traced {
  readonly trace: SessionTrace | undefined;
  readonly onEnd: (outcome: Outcome) => void;
  readonly repeatFirst?: RepeatFirst;
}

interface FirstStatement {
  readonly outcome: UnitOutcome;
  readonly options: OpenSessionOptions;
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
  readonly trace: SessionTrace | undefined;
}

type RepeatFirst = <T>(attempt: () => Promise<T>, outcome: UnitOutcome, signal: AbortSignal) => Promise<T>;

/** A session, and how it is ended before its time. */
export interface AbortableSession {
  readonly session: UnitSession;
  readonly abort: (by: SessionAbortedError) => void;
}

/** Whose health a session depends on. */
export interface SessionTarget {
  /** For the retry policy. */
  readonly name: string;
  /** Several servers may answer it: the replicas, or else the primary. */
  readonly viaReplicas: boolean;
}

export interface SessionOpenerParts {
  readonly driver: DatabaseDriver;
  readonly proof: CommitProof;
  /** Undefined where nothing is measured. */
  readonly metrics: DatabaseMetrics | undefined;
  readonly telemetry: Telemetry;
  readonly tracesStatements: boolean;
  readonly fork: (identity: Identity | undefined) => SessionEntityManager;
  readonly clears: ClearWatch;
  /** Whether a subscriber takes part in the begin of transactions, so that it has to be waited for. */
  readonly isBeginObserved: () => boolean;
  readonly current: CurrentSession<UnitSession>;
  readonly open: OpenSessions;
  readonly clock: Clock;
  /** Aborts when the driver has closed: it cannot be asked any more. */
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

  /** A session that cannot be run again as a whole; its first statement can. */
  async openOnce(
    options: OpenSessionOptions,
    deadline: Deadline = this.deadlineOf(options),
    id: string = this.nextId(),
  ): Promise<AbortableSession> {
    const prepared = this.#prepareOnce(options, deadline, id);
    if (this.#parts.isBeginObserved()) await prepared.begin();
    else prepared.beginAtOnce();
    return prepared.open();
  }

  /** The same at once; only while the begin of transactions is not observed. */
  openOnceNow(options: OpenSessionOptions, deadline: Deadline, id: string): AbortableSession {
    const prepared = this.#prepareOnce(options, deadline, id);
    prepared.beginAtOnce();
    return prepared.open();
  }

  /** For one attempt of a unit, which `trace` is that of. */
  async open(
    options: SessionOptions,
    deadline: Deadline,
    attempt: number,
    trace: SessionTrace | undefined,
  ): Promise<UnitSession> {
    const prepared = this.#prepare(options, deadline, attempt, this.nextId(), {
      trace,
      onEnd: outcome => trace?.attemptEnded(outcome),
    });
    if (this.#parts.isBeginObserved()) await prepared.begin();
    else prepared.beginAtOnce();
    return prepared.open().session;
  }

  nextId(): string {
    this.#opened += 1;
    return `${processPart}-${this.#opened.toString(36)}`;
  }

  #prepareOnce(options: OpenSessionOptions, deadline: Deadline, id: string) {
    const trace = SessionTrace.of(this.#parts, options.name ?? 'session');
    trace?.beginAttempt(1);
    try {
      return this.#prepare(options, deadline, 1, id, {
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

  #prepare(
    options: SessionOptions,
    deadline: Deadline,
    attempt: number,
    id: string,
    { trace, onEnd, repeatFirst }: Traced,
  ) {
    const { driver, proof, clock, current, logger, observer, cancelGraceMs, fork, clears } = this.#parts;
    const settings = settingsOf(options);
    assertAbleToBegin(driver, settings);
    const { metrics } = this.#parts;
    const startedAt = metrics === undefined ? 0 : clock.now();
    const name = options.name ?? 'session';
    const outcome = new UnitOutcome(options.retry === 'never' ? forbidden : undefined);
    const controller = new AbortController();
    const { signal } = controller;
    const abort = (by: SessionAbortedError) => {
      outcome.move({ it: 'was aborted', by });
      controller.abort(by);
    };
    const stopWatching = abortInTime({ name, deadline, signal: options.signal }, clock, abort);
    const transaction = new LazyTransaction({
      driver,
      proof,
      settings,
      deadline,
      signal,
      clock,
      observer,
      tracer: trace,
      name,
      cancelGraceMs,
      outcome,
      ...(repeatFirst && { repeatFirst: first => repeatFirst(first, outcome, signal) }),
    });
    const em = fork(settings.identity);
    const begin = () =>
      withOpening(transaction, () => em.begin()).catch((error: unknown) => {
        stopWatching();
        trace?.end({ error });
        throw error;
      });
    const open = () => {
      trace?.named(id);
      em.bindTo({
        transaction,
        outcome,
        ...(!settings.readOnly && { clears }),
        assertFits: ({ isolationLevel, readOnly }) => {
          if (readOnly === true && !settings.readOnly) throw new NestedOptionsError(['readOnly']);
          assertFits({ isolation: isolationLevel }, settings, driver);
        },
      });
      const leave = this.#parts.open.enter();
      const session = new UnitSession({
        id,
        name,
        attempt,
        em,
        transaction,
        outcome,
        signal,
        abort,
        deadline,
        current,
        resolver: this.#resolver,
        readOnly: settings.readOnly,
        settings,
        driver,
        viaReplicas: this.#parts.targetOf(options).viaReplicas,
        verifyCommitted: options.verifyCommitted,
        logger,
        onEnd: () => {
          stopWatching();
          leave();
          onEnd(outcome.now);
          if (metrics === undefined) return;
          metrics.transaction(outcome.now);
          // A unit that may have several attempts is measured where it runs.
          if (repeatFirst !== undefined) measureEnd(metrics, name, outcome.now, clock.now() - startedAt);
        },
      });
      return { session, abort };
    };
    return { begin, beginAtOnce: () => beginAtOnce(em, transaction), open };
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
      classify: error => (isSilence(error) ? seen(judgeSilence(outcome.now)) : verdict),
      ...(trace !== undefined && { onRetry: event => trace.retrying(event) }),
    });
    return execution.catch((error: unknown) => {
      // The policy may see the deadline a moment before the session does; what it means is the same.
      if (!asking || signal.aborted) throw error;
      throw new SessionAbortedError({ name: options.name ?? 'session', reason: 'deadline' }, error);
    });
  }
}

function measureEnd(metrics: DatabaseMetrics, name: string, outcome: Outcome, durationMs: number): void {
  const failure = outcome.is === 'rolling back' || outcome.is === 'rolled back' ? outcome.failure?.error : undefined;
  metrics.session(name, sessionOutcomeOf(outcome), durationMs, 1, outcome.is === 'unknown' ? outcome.error : failure);
}

const forbidden = "safe to repeat, but the session said { retry: 'never' }";

/** Keeps the sessions of one process apart from those of another in shared logs. */
const processPart = Math.floor(Math.random() * 36 ** 4)
  .toString(36)
  .padStart(4, '0');

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
