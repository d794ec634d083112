import { AsyncLocalStorage } from 'node:async_hooks';
import type { Deadline, FailureVerdict, Logger } from '@keelson/core';
import { AmbiguousCommitError } from '../errors/ambiguous-commit-error.js';
import { NotifyRefusedError } from '../errors/listening-errors.js';
import {
  ConcurrentUseError,
  SessionAbortedError,
  SessionClosedError,
  TransactionFailedError,
} from '../errors/session-errors.js';
import { translate } from '../errors/translate.js';
import { assertChannel } from '../listening/channel-name.js';
import { payloadText } from '../listening/payload.js';
import { type EntityManager, hasNothingToCommit, hasNoWork, hasUnstored } from '../orm/entity-manager.js';
import { orAborted } from '../transaction/bounded.js';
import type { CommitResolver } from '../transaction/commit-resolver.js';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import { type Failure, isInDoubt, type Outcome } from '../transaction/outcome.js';
import type { TransactionSettings } from '../transaction/transaction-settings.js';
import type { UnitOutcome } from '../transaction/unit-outcome.js';
import { Callbacks } from './callbacks.js';
import { consistencyTokenOf } from './consistency-token.js';
import type { CurrentSession } from './current-session.js';
import type { DatabaseSession, SessionWork } from './database-session.js';
import { type FailureContext, failureOf, failureOfAborted } from './failure.js';
import { callbacksOf, stateOf, verdictOf } from './read-outcome.js';

export interface UnitSessionParts extends FailureContext {
  readonly id: string;
  readonly attempt: number;
  /** Neither its EntityManager nor its transaction was ever asked for, and no subscriber takes part in its end. */
  readonly isUnused: boolean;
  readonly em: EntityManager;
  readonly transaction: LazyTransaction;
  readonly settings: TransactionSettings;
  readonly outcome: UnitOutcome;
  readonly signal: AbortSignal;
  /** Ends the session before its time. */
  abort(by: SessionAbortedError): void;
  readonly deadline: Deadline;
  readonly current: CurrentSession<UnitSession>;
  readonly resolver: CommitResolver;
  readonly verifyCommitted: (() => Promise<boolean>) | undefined;
  readonly logger: Logger;
  /** Takes back timers and listeners. */
  onEnd(): void;
}

/** The session whose commit the running code is part of. */
const committing = new AsyncLocalStorage<UnitSession>();

type Callback = () => void | Promise<void>;

/** One EntityManager fork bound to one transaction. What it throws has been translated, and its verdict is known. */
export class UnitSession implements DatabaseSession {
  readonly #parts: UnitSessionParts;
  readonly #callbacks: Callbacks;
  /** The original error for each translated error that left a nested session. */
  readonly #origins = new Map<unknown, unknown>();
  #committing: Promise<void> | undefined;
  /** How much work that has joined it still runs. */
  #joined = 0;
  #isClosed = false;
  /** Reads that have joined it and have not ended; `alone` when the first of them found it unused. */
  readonly #reads = { count: 0, alone: false };

  constructor(parts: UnitSessionParts) {
    this.#parts = parts;
    this.#callbacks = new Callbacks(parts.logger, parts.name, work => parts.current.outside(work));
  }

  get id(): string {
    return this.#parts.id;
  }

  get em(): EntityManager {
    return this.#parts.em;
  }

  get attempt(): number {
    return this.#parts.attempt;
  }

  get signal(): AbortSignal {
    return this.#parts.signal;
  }

  get deadline(): Deadline {
    return this.#parts.deadline;
  }

  get outcome(): Outcome {
    return this.#parts.outcome.now;
  }

  get state(): DatabaseSession['state'] {
    return stateOf(this.outcome);
  }

  get consistencyToken(): string | undefined {
    const { settings, transaction } = this.#parts;
    if (settings.tellsPosition !== true || this.outcome.is !== 'committed' || !this.outcome.answered) return undefined;
    const canTell = !settings.readOnly && transaction.driver.positionProbe !== undefined;
    return canTell ? consistencyTokenOf(transaction.position) : undefined;
  }

  get verdict(): FailureVerdict {
    return verdictOf(this.outcome);
  }

  get settings(): TransactionSettings {
    return this.#parts.settings;
  }

  get transaction(): LazyTransaction {
    return this.#parts.transaction;
  }

  get reading(): DatabaseSession['reading'] {
    const joined = this.#reads.count > 0;
    if (!joined && this.#parts.isUnused) return 'no';
    const { transaction, em, readOnly } = this.#parts;
    if (!joined && !transaction.isRead) return 'no';
    const alone = readOnly || (joined && this.#reads.alone);
    if (alone && !hasUnstored(em)) return 'alone';
    return transaction.isRead ? 'with writes' : 'no';
  }

  /** A `read` has joined it; call the result once when its work has ended. */
  beginRead(): () => void {
    if (this.#reads.count === 0) this.#reads.alone = this.outcome.is === 'untouched' && hasNoWork(this.em);
    this.#reads.count += 1;
    return () => {
      this.#reads.count -= 1;
    };
  }

  run<T>(work: () => T): T {
    return this.#parts.current.run(this, work, { sessionId: this.id });
  }

  notify(channel: string, payload?: unknown): void {
    if (this.state !== 'open' || isInDoubt(this.outcome)) throw new SessionClosedError();
    if (this.#parts.readOnly) throw new NotifyRefusedError({ why: 'the session is read-only' });
    assertChannel(channel);
    this.transaction.notify(channel, payloadText(payload));
  }

  onCommit(callback: Callback): void {
    this.#callbacks.add('onCommit', callback, this.transaction.partUndone());
  }

  onRollback(callback: Callback): void {
    this.#callbacks.add('onRollback', callback, this.transaction.partUndone());
  }

  /** Work that had joined this session failed: what it did half must not be stored. */
  markRollbackOnly(cause: unknown): void {
    this.#parts.outcome.move({ it: 'lost a part', cause });
  }

  /** Other work may still join: it has not begun to end, or the work is part of its end, as a hook of its flush is. */
  get admits(): boolean {
    if (this.state !== 'open' || isInDoubt(this.outcome)) return false;
    return this.#committing === undefined || committing.getStore() === this;
  }

  /** Runs work that joins it: neither committed nor rolled back here, and a failure in it is a failure of the whole. */
  async join<T>(work: SessionWork<T>): Promise<T> {
    this.#joined += 1;
    try {
      const result = await work(this.em, this);
      if (this.state === 'rolled back') throw new SessionClosedError();
      return result;
    } catch (error) {
      const seen = this.translated(error);
      this.markRollbackOnly(seen);
      throw seen;
    } finally {
      this.#joined -= 1;
    }
  }

  /** Ends it before its time. */
  abort(by: SessionAbortedError): void {
    this.#parts.abort(by);
  }

  /** From now on the unit does not run again, whatever becomes of it; the error says `why`. */
  forbidRepeat(why: string): void {
    this.#parts.outcome.move({ it: 'must not repeat', why });
  }

  /** Translates an error that leaves a nested session, for its caller; the session is judged later by the original. */
  translated(error: unknown): unknown {
    const seen = translate(error);
    if (seen !== error) this.#origins.set(seen, error);
    return seen;
  }

  async commit(): Promise<void> {
    if (this.state === 'rolled back' || this.#isClosed || this.#committing !== undefined)
      throw new SessionClosedError();
    this.#committing = this.#commit();
    await this.#committing;
  }

  async rollback(): Promise<void> {
    if (isInDoubt(this.outcome)) await this.#outOfDoubt();
    await this.#rollBack(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rollback();
  }

  /** Rolls back for `error`, unless it has ended already. Gives the error as the caller of the session is to see it. */
  async fail(error: unknown): Promise<unknown> {
    const failure = failureOf(this.outcome, error, this.#parts, this.#origins.get(error));
    await this.#outOfDoubt();
    await this.#rollBack(failure);
    return this.outcome.is === 'unknown' ? this.outcome.error : failure.error;
  }

  /** Once COMMIT was sent, what becomes of it is no longer decided here. */
  async #outOfDoubt(): Promise<void> {
    const { outcome } = this;
    if (this.#committing === undefined && outcome.is === 'in doubt') await this.#resolve(outcome);
    else if (isInDoubt(outcome)) await this.#committing?.catch(() => {});
  }

  async #commit(): Promise<void> {
    const { deadline, name } = this.#parts;
    const { partFailed } = this.outcome;
    if (partFailed !== undefined) throw await this.fail(new TransactionFailedError(partFailed.cause));
    // Half of what has joined would be stored; a read that has joined stores nothing.
    if (this.#joined > this.#reads.count) throw await this.fail(new ConcurrentUseError());
    // After the deadline no caller waits for the answer, so COMMIT is not sent.
    if (deadline.passed) this.abort(new SessionAbortedError({ name, reason: 'deadline' }));
    try {
      await this.#commitInTime();
    } catch (error) {
      await this.#failedCommit(error);
    }
    await this.#close();
    const { outcome } = this;
    if (outcome.is === 'unknown') throw outcome.error;
    if (outcome.is === 'rolled back' && outcome.failure !== undefined) throw outcome.failure.error;
  }

  /** Resolves when COMMIT was sent and it is known, as far as it can be, what became of it. */
  async #failedCommit(error: unknown): Promise<void> {
    const { outcome } = this;
    const { logger, name } = this.#parts;
    if (outcome.is === 'in doubt') return this.#resolve(outcome);
    if (outcome.is === 'committed') {
      logger.error('a subscriber failed after the commit', { error, session: name });
      return;
    }
    const failure = failureOf(outcome, error, this.#parts, this.#origins.get(error));
    await this.#rollBack(failure);
    if (isInDoubt(this.outcome)) await this.#close();
    throw failure.error;
  }

  /** With nothing to lose it is done, whatever time it is: a request that has worked by other means has one of these. */
  async #commitInTime(): Promise<void> {
    if (this.#parts.isUnused) return this.#parts.outcome.move({ it: 'was committed' });
    const { transaction, em } = this.#parts;
    const { outcome } = this;
    // A subscriber may make work between the last flush and COMMIT.
    transaction.letCommit(async () => {
      if (hasUnstored(em)) await em.flush();
    });
    if (outcome.is === 'cut short' && outcome.unused && hasNoWork(em)) return transaction.commit();
    if (hasNothingToCommit(em, this.#parts.readOnly)) {
      await (transaction.endsAtOnce ? transaction.commit() : this.#unlessOver(transaction.commit()));
      em.resetTransactionContext();
      return;
    }
    await this.#unlessOver(this.run(() => committing.run(this, () => em.commit())));
    // MikroORM commits nothing, and says nothing, when somebody has rolled its transaction back.
    if (this.outcome.is !== 'committed') throw new SessionClosedError();
  }

  /** Before and after COMMIT, MikroORM can wait for what never ends: a stream that is not read to its end, a subscriber. */
  #unlessOver(commit: Promise<void>): Promise<void> {
    const { signal } = this.#parts;
    return new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        if (this.outcome.is === 'committed') resolve();
        else if (!isInDoubt(this.outcome)) reject(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      commit.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  /** Finds out what became of a COMMIT that was not answered. */
  async #resolve(doubt: Outcome & { readonly is: 'in doubt' }): Promise<void> {
    const { id, name, deadline, resolver, verifyCommitted, outcome } = this.#parts;
    const resolution = await resolver.resolve(doubt.commitKey, deadline, verifyCommitted);
    if (resolution.is === 'committed') outcome.move({ it: 'was found committed' });
    else if (resolution.is === 'aborted')
      outcome.move({ it: 'was found aborted', failure: failureOfAborted(doubt, this.#parts) });
    else
      outcome.move({
        it: 'stays unknown',
        error: new AmbiguousCommitError(
          { name, sessionId: id, why: resolution.why, proof: resolver.proof },
          doubt.error,
        ),
      });
  }

  async #rollBack(failure: Failure | undefined): Promise<void> {
    const { outcome } = this.#parts;
    const before = outcome.now;
    outcome.move({ it: 'rolls back', failure });
    if (stateOf(before) === 'rolled back') return;
    if (stateOf(before) !== 'open' || isInDoubt(before)) {
      // The session sees to its own COMMIT.
      if (this.#committing === undefined) await this.#close();
      return;
    }
    if (this.#parts.isUnused) return this.#close();
    const { transaction, signal } = this.#parts;
    // The server has done it already when it refused COMMIT. MikroORM may reject when it has nothing to do.
    const isDone = before.is === 'failed' && before.at === 'commit';
    const forgotten = isDone ? undefined : this.em.rollback().catch(() => {});
    await transaction.rollback();
    if (forgotten !== undefined && !transaction.isRead) await orAborted(forgotten, signal);
    await this.#close();
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.onEnd();
    await this.#callbacks.run(callbacksOf(this.outcome));
    this.#parts.outcome.move({ it: 'is rolled back' });
  }
}
