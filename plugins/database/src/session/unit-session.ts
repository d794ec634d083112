import { type Deadline, type FailureVerdict, type Logger, runWithContext } from '@keelson/core';
import type { DatabaseSession, EntityManager } from '../database-service.js';
import { orAborted } from '../driver/bounded.js';
import type { CommitResult } from '../driver/commit-result.js';
import type { LazyTransaction } from '../driver/lazy-transaction.js';
import { CommitFailure } from '../driver/session-driver.js';
import { AmbiguousCommitError } from '../errors/ambiguous-commit-error.js';
import { SessionAbortedError, SessionClosedError, TransactionFailedError } from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import { translate } from '../errors/translate.js';
import { judge, judgedElsewhere } from '../retry/failure-verdict.js';
import type { CommitResolver } from './commit-resolver.js';
import type { CurrentSession } from './current-session.js';

export interface UnitSessionParts {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly em: EntityManager;
  readonly transaction: LazyTransaction;
  readonly controller: AbortController;
  readonly deadline: Deadline;
  readonly current: CurrentSession;
  readonly resolver: CommitResolver;
  /** Several servers may answer it. */
  readonly elsewhere: boolean;
  readonly verifyCommitted: (() => Promise<boolean>) | undefined;
  /** False when the work may run only once. */
  readonly repeatable: boolean;
  readonly logger: Logger;
  /** Takes back timers and listeners. */
  readonly onEnd: () => void;
}

type Callback = () => void | Promise<void>;

/** One EntityManager fork bound to one transaction. What it throws has been translated, and its verdict is known. */
export class UnitSession implements DatabaseSession {
  readonly #parts: UnitSessionParts;
  readonly #onCommit: Callback[] = [];
  readonly #onRollback: Callback[] = [];
  #state: DatabaseSession['state'] = 'open';
  /** What `told` was given, by what it gave. */
  readonly #origins = new Map<unknown, unknown>();
  #committing: Promise<void> | undefined;
  #endedBy: SessionAbortedError | undefined;
  #doubt: AmbiguousCommitError | undefined;
  #rollbackOnly: { readonly cause: unknown } | undefined;
  #verdict: FailureVerdict | undefined;
  #notRepeated: string | undefined;
  /** Reads that have joined it and have not ended; `alone` when the first of them found it unused. */
  readonly #reads = { count: 0, alone: false };

  constructor(parts: UnitSessionParts) {
    this.#parts = parts;
    if (!parts.repeatable) this.#notRepeated = "safe to repeat, but the session said { retry: 'never' }";
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
    return this.#parts.controller.signal;
  }

  get deadline(): Deadline {
    return this.#parts.deadline;
  }

  get state(): DatabaseSession['state'] {
    return this.#state;
  }

  get transaction(): LazyTransaction {
    return this.#parts.transaction;
  }

  get reading(): DatabaseSession['reading'] {
    const { transaction, em } = this.#parts;
    const joined = this.#reads.count > 0;
    if (!joined && !transaction.isRead) return 'no';
    const alone = transaction.readOnly || (joined && this.#reads.alone);
    if (alone && !hasUnstored(em)) return 'alone';
    return transaction.isRead ? 'with writes' : 'no';
  }

  /** A `read` has joined it; call the result once when its work has ended. */
  beginRead(): () => void {
    if (this.#reads.count === 0) this.#reads.alone = this.transaction.isUnused && hasNoWork(this.em);
    this.#reads.count += 1;
    return () => {
      this.#reads.count -= 1;
    };
  }

  run<T>(work: () => T): T {
    return runWithContext({ sessionId: this.id }, () => this.#parts.current.run(this, work));
  }

  onCommit(callback: Callback): void {
    this.#onCommit.push(callback);
  }

  onRollback(callback: Callback): void {
    this.#onRollback.push(callback);
  }

  /** Work that had joined this session failed: what it did half must not be stored. */
  markRollbackOnly(cause: unknown): void {
    this.#rollbackOnly ??= { cause };
  }

  /** From now on the unit does not run again, whatever becomes of it; `why` is told in the error. */
  forbidRepeat(why: string): void {
    this.#notRepeated ??= why;
  }

  async commit(): Promise<void> {
    if (this.#state !== 'open' || this.#committing !== undefined) throw new SessionClosedError();
    this.#committing = this.#commit();
    await this.#committing;
  }

  async rollback(): Promise<void> {
    // Once COMMIT was sent, what becomes of it is no longer decided here.
    if (this.#parts.transaction.inDoubt) await this.#committing?.catch(() => {});
    if (this.#state === 'open') await this.#rollBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rollback();
  }

  /** The error as its caller is to see it. Looks at how far the transaction has come, so call it before a rollback. */
  explain(error: unknown): unknown {
    const { signal } = this.#parts.controller;
    // Whatever else has ended it: that something may be stored is never kept from its caller.
    if (error instanceof AmbiguousCommitError) {
      this.#verdict ??= this.#judge(error);
      return error;
    }
    const aborted = signal.aborted && signal.reason instanceof SessionAbortedError ? signal.reason : undefined;
    this.#endedBy ??= aborted;
    const cause = aborted ?? this.#origins.get(error) ?? error;
    this.#verdict ??= this.#judge(cause);
    return cause === this.#origins.get(error) ? error : this.#translate(cause);
  }

  /** An error on its way out of a nested session, as its caller is to see it; judged later by what it was. */
  told(error: unknown): unknown {
    const told = translate(error);
    if (told !== error) this.#origins.set(told, error);
    return told;
  }

  /** What the caller is told when it waits no longer, whatever the session still does to end itself. */
  abandoned(cause: unknown, reason: 'deadline' | 'signal'): unknown {
    if (this.#state !== 'open') return undefined;
    const { name, transaction } = this.#parts;
    if (!transaction.inDoubt) return new SessionAbortedError({ name, reason }, cause);
    const why =
      reason === 'deadline' ? 'the deadline came before the answer' : 'its caller did not wait for the answer';
    return new AmbiguousCommitError({ name, why }, cause);
  }

  /** Its COMMIT was sent and nobody knows what became of it: that is what its caller is told, whoever ended the wait. */
  get doubt(): AmbiguousCommitError | undefined {
    return this.#doubt;
  }

  /** What ended it before its time: that is what its caller is told, whatever a policy makes of it. */
  get endedBy(): SessionAbortedError | undefined {
    return this.#endedBy;
  }

  /** May the unit run again, and is the server well? Known after `explain`. */
  get verdict(): FailureVerdict {
    const verdict = this.#verdict ?? { retry: false, availability: 'unknown' };
    return this.#notRepeated === undefined ? verdict : { ...verdict, retry: false };
  }

  /** Says so when the unit would have been run again, had its work allowed it. */
  #translate(error: unknown): unknown {
    const held = this.#verdict?.retry === true && this.#notRepeated !== undefined;
    return translate(error, held ? { notRepeated: this.#notRepeated } : {});
  }

  #judge(error: unknown): FailureVerdict {
    const alone = judge(error, this.transaction.phase, this.transaction.readOnly);
    const verdict = this.#parts.elsewhere ? judgedElsewhere(alone, this.transaction.reached) : alone;
    // What was answered before it was given up has been told at the time; by now the server may be silent.
    if (verdict.availability !== 'unknown' || this.signal.aborted || !this.transaction.answered) return verdict;
    return { ...verdict, availability: 'up' };
  }

  async #commit(): Promise<void> {
    if (this.#rollbackOnly !== undefined) {
      await this.#rollBack();
      throw new TransactionFailedError(this.#rollbackOnly.cause);
    }
    // A COMMIT whose answer nobody would wait for is not sent.
    const { controller, deadline, name, transaction } = this.#parts;
    if (deadline.passed) controller.abort(new SessionAbortedError({ name, reason: 'deadline' }));
    try {
      // With nothing to lose it is done, whatever time it is: a request that has worked by other means has one of these.
      if (controller.signal.aborted && transaction.isUnused && hasNoWork(this.em)) await commitUnused(transaction);
      else await this.#unlessOver(this.run(() => this.em.commit()));
    } catch (error) {
      const failure = await this.#failedCommit(error);
      if (failure !== undefined) throw failure.error;
    }
    this.#end('committed');
    await this.#tell(this.#onCommit);
  }

  /** Before COMMIT is sent a commit can wait for what never ends: a stream that nobody reads on, a subscriber. */
  #unlessOver(commit: Promise<void>): Promise<void> {
    const { controller, transaction } = this.#parts;
    const { signal } = controller;
    return new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        if (!transaction.inDoubt && !transaction.isCommitted) reject(signal.reason);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      commit.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  async #rollBack(): Promise<void> {
    const { transaction, controller, onEnd } = this.#parts;
    this.#state = 'rolled back';
    // MikroORM forgets its queue; it may reject when it has nothing to do.
    const forgotten = this.em.rollback().catch(() => {});
    await transaction.rollback();
    if (!transaction.isRead) await orAborted(forgotten, controller.signal);
    onEnd();
    await this.#tell(this.#onRollback);
  }

  /** Undefined when the commit turns out to have been done. */
  async #failedCommit(error: unknown): Promise<{ error: unknown } | undefined> {
    if (!(error instanceof CommitFailure)) {
      if (this.#parts.transaction.isCommitted) {
        this.#parts.logger.error('a subscriber failed after the commit', { error, session: this.#parts.name });
        return undefined;
      }
      const explained = this.explain(error);
      if (this.#state === 'open') await this.#rollBack();
      return { error: explained };
    }
    const outcome = await this.#outcomeOf(error.result);
    if (outcome.is === 'committed') return undefined;
    // Rolled back by its owner before COMMIT was sent: all is told already.
    if (this.#state !== 'open') return { error: outcome.error };
    this.#end(outcome.is);
    if (outcome.is === 'rolled back') await this.#tell(this.#onRollback);
    return { error: outcome.error };
  }

  async #outcomeOf(
    result: Exclude<CommitResult, { is: 'committed' }>,
  ): Promise<{ is: 'committed' } | { is: 'rolled back' | 'unknown'; error: unknown }> {
    if (result.is === 'rolled back') {
      if (result.error instanceof SessionAbortedError) this.#endedBy = result.error;
      // A connection that was lost before COMMIT was sent took everything with it.
      this.#verdict = judge(result.error, isConnectionLoss(result.error) ? 'work' : 'commit');
      return { is: 'rolled back', error: this.#translate(result.error) };
    }
    const { name, deadline, resolver, verifyCommitted } = this.#parts;
    const resolution = await resolver.resolve(result.transactionId, deadline, verifyCommitted);
    if (resolution.is === 'committed') return resolution;
    if (resolution.is === 'aborted') {
      this.#verdict = { retry: true, availability: 'down' };
      const { error, late } = result;
      const told = late ? new SessionAbortedError({ name, reason: 'deadline' }, error) : this.#translate(error);
      return { is: 'rolled back', error: told };
    }
    this.#verdict = { retry: false, availability: 'down' };
    this.#doubt = new AmbiguousCommitError({ name, why: resolution.why }, result.error);
    return { is: 'unknown', error: this.#doubt };
  }

  #end(state: Exclude<DatabaseSession['state'], 'open'>): void {
    this.#state = state;
    this.#parts.onEnd();
  }

  async #tell(callbacks: readonly Callback[]): Promise<void> {
    for (const callback of callbacks) {
      try {
        await callback();
      } catch (error) {
        this.#parts.logger.error('a callback of a session failed', { error, session: this.#parts.name });
      }
    }
  }
}

async function commitUnused(transaction: LazyTransaction): Promise<void> {
  const result = await transaction.commit();
  if (result.is !== 'committed') throw new CommitFailure(result);
}

/** Nothing was loaded or referred to, so nothing can be dirty, and nothing waits to be stored or removed. */
function hasNoWork(em: EntityManager): boolean {
  const work = em.getUnitOfWork();
  return work.getIdentityMap().keys().length + work.getPersistStack().size + work.getRemoveStack().size === 0;
}

function hasUnstored(em: EntityManager): boolean {
  const work = em.getUnitOfWork();
  return work.getPersistStack().size + work.getRemoveStack().size > 0;
}
