import type { Deadline } from '@keelson/core';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { markFault } from '../errors/fault-origin.js';
import { ConcurrentUseError, SessionClosedError, TransactionFailedError } from '../errors/session-errors.js';
import { isConnectionLoss, isDefiniteRefusal } from '../errors/sql-state.js';
import { type FailurePhase, judge } from '../retry/failure-verdict.js';
import { Attention } from './attention.js';
import { byDeadline, orAborted } from './bounded.js';
import type { CommitResult } from './commit-result.js';
import { ConnectionReturn, type ConnectionReturnOptions } from './connection-return.js';
import type { BatchOutcome, DatabaseDriver, DriverConnection, Statement, StatementResult } from './driver.js';
import { PendingStatements } from './pending-statements.js';
import { toQueryResult } from './query-result.js';
import { beginStatements, mayBeElsewhere, type TransactionSettings } from './transaction-settings.js';

/** Told about each statement; never its text or its values. */
export interface StatementObserver {
  statement(event: { command: string; rowCount: number | undefined; durationMs: number; failed: boolean }): void;
}

/**
 * Aborting `signal` ends the transaction: whoever waits for a statement of it hears of that at once, the server and the
 * connection are seen to in the background, and further statements are refused.
 */
export interface LazyTransactionOptions extends ConnectionReturnOptions {
  readonly driver: DatabaseDriver;
  readonly deadline: Deadline;
  readonly settings: TransactionSettings;
  readonly observer: StatementObserver;
  /**
   * Runs the first statement, and may run it again: until it is answered, nothing of the transaction can be there.
   * Left out where the whole unit is run again anyway.
   */
  readonly repeatFirst?: <T>(attempt: () => Promise<T>) => Promise<T>;
}

type State =
  | { readonly is: 'untouched' }
  | { readonly is: 'open'; readonly connection: DriverConnection }
  | { readonly is: 'committing' }
  | { readonly is: 'ended'; readonly how: 'committed' | 'rolled back' | 'unknown' };

/**
 * A transaction that takes a connection at its first statement, and tells the server BEGIN, settings and savepoints
 * together with it: one that runs nothing costs nothing, one of n statements n + 1 round trips, a read-only one n for
 * its caller. Its connection is given back or destroyed on every way out.
 *
 * It is a connection as Kysely knows it, so that MikroORM runs its statements here.
 */
export class LazyTransaction implements DatabaseConnection {
  readonly #options: LazyTransactionOptions;
  readonly #pending = new PendingStatements();
  readonly #return: ConnectionReturn;
  readonly #attention = new Attention();
  #state: State = { is: 'untouched' };
  #failed = false;
  #readers = 0;
  #reached = false;
  #isRepeating = false;
  #transactionId: string | undefined;
  #unlisten: (() => void) | undefined;
  #rollingBack: Promise<void> | undefined;
  #tellFirstAnswer: (() => void) | undefined;

  constructor(options: LazyTransactionOptions) {
    this.#options = options;
    this.#return = new ConnectionReturn(options);
    for (const sql of beginStatements(options.settings)) this.#pending.add(sql);
  }

  get phase(): FailurePhase {
    if (this.#state.is === 'untouched' || this.#pending.length > 0) return 'acquire';
    return this.#state.is === 'open' ? 'work' : 'commit';
  }

  get driver(): DatabaseDriver {
    return this.#options.driver;
  }

  get readOnly(): boolean {
    return this.#options.settings.readOnly;
  }

  /** Calls `listener` once, when the server has done a statement of it. */
  onFirstAnswer(listener: () => void): void {
    this.#tellFirstAnswer = listener;
  }

  /** COMMIT was sent; whether it is done is not known, or not known yet. */
  get inDoubt(): boolean {
    return this.#state.is === 'committing' || (this.#state.is === 'ended' && this.#state.how === 'unknown');
  }

  get isCommitted(): boolean {
    return this.#state.is === 'ended' && this.#state.how === 'committed';
  }

  /** False before the first statement: a transaction that did nothing holds none. */
  get holdsConnection(): boolean {
    return this.#state.is === 'open' || this.#state.is === 'committing';
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.#statement({ sql: query.sql, parameters: query.parameters });
    return toQueryResult<R>(result);
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    const connection = await this.#begun();
    const chunks = connection.stream({ sql: query.sql, parameters: query.parameters }, chunkSize);
    this.#readers += 1;
    try {
      for await (const rows of this.#attention.read(chunks)) yield { rows: rows as R[] };
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#readers -= 1;
    }
  }

  /** A stream of it has been begun and neither read to its end nor left: Kysely lets nothing else through meanwhile. */
  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** Runs `work` on the connection itself, inside the transaction. */
  async withConnection<T>(work: (connection: DriverConnection) => Promise<T>): Promise<T> {
    const connection = await this.#begun();
    const result = await this.#attention.attend(work(connection)).catch((error: unknown) => {
      this.#failed = true;
      throw this.#options.signal?.aborted === true ? this.#options.signal.reason : error;
    });
    if (this.#probe() !== undefined) await this.#batch(connection, []);
    return result;
  }

  /** Nothing of it has been asked of the server, and nothing of it has failed. */
  get isUnused(): boolean {
    return this.#state.is === 'untouched' && !this.#failed && !this.#isBusy;
  }

  /** The last try got a connection, whatever became of it then. */
  get reached(): boolean {
    return this.#reached;
  }

  /** True once the server has answered something. */
  get answered(): boolean {
    return this.#state.is !== 'untouched' && this.#pending.length === 0;
  }

  async savepoint(name: string): Promise<void> {
    this.#assertUsable();
    this.#pending.addSavepoint(name);
  }

  async rollbackToSavepoint(name: string): Promise<void> {
    if (this.#pending.takeBack(name, true)) {
      // Several commands in one text are read as a whole: a mistake in it has left the server without the savepoint.
      this.#failed = this.#state.is === 'open' && this.#state.connection.status === 'failed transaction';
      return;
    }
    const connection = await this.#connection({ failedToo: true });
    this.#failed = false;
    await this.#batch(connection, [{ sql: `rollback to savepoint ${name}` }]);
  }

  async releaseSavepoint(name: string): Promise<void> {
    if (this.#pending.takeBack(name, false)) return;
    await this.#batch(await this.#connection(), [{ sql: `release savepoint ${name}` }]);
  }

  /** Never rejects, and ends by the deadline. What `unanswered` means is for the caller to find out. */
  async commit(): Promise<CommitResult> {
    if (this.#state.is === 'untouched' && !this.#isBusy) {
      this.#end(this.#failed ? 'rolled back' : 'committed');
      return this.#failed ? { is: 'rolled back', error: new TransactionFailedError() } : { is: 'committed' };
    }
    if (this.#options.signal?.aborted === true) {
      await this.rollback();
      return { is: 'rolled back', error: this.#options.signal.reason };
    }
    if (this.#isBusy) {
      const error = new ConcurrentUseError();
      await this.rollback();
      return { is: 'rolled back', error };
    }
    if (this.#state.is !== 'open') return { is: 'rolled back', error: new SessionClosedError() };
    const { connection } = this.#state;
    if (this.#failed || connection.status === 'failed transaction') {
      await this.rollback();
      return { is: 'rolled back', error: new TransactionFailedError() };
    }
    if (connection.status === 'lost') {
      await this.rollback();
      const error = new Error('Connection terminated before COMMIT was sent');
      markFault(error, this.driver);
      return { is: 'rolled back', error };
    }
    return this.#options.settings.readOnly ? this.#commitReadOnly(connection) : this.#commit(connection);
  }

  /**
   * Whoever waits for a statement waits no longer. Resolves when the server has rolled back, or when the signal aborts:
   * then the rest is done in the background. Never rejects, and does nothing once COMMIT was sent.
   */
  rollback(): Promise<void> {
    this.#rollingBack ??= this.#rollback();
    return this.#rollingBack;
  }

  async #rollback(): Promise<void> {
    const { signal } = this.#options;
    const before = this.#state;
    if (before.is === 'committing' || before.is === 'ended') return;
    this.#end('rolled back');
    const ended = this.#attention.abandon(() => (signal?.aborted === true ? signal.reason : new SessionClosedError()));
    if (before.is === 'open') await orAborted(this.#return.takeBack(before.connection, ended), signal);
  }

  async #commit(connection: DriverConnection): Promise<CommitResult> {
    const transactionId = this.#transactionId;
    this.#state = { is: 'committing' };
    const answer = connection.run([{ sql: 'commit' }]);
    // It is never cancelled: its answer is what everybody wants to know.
    const outcome = await byDeadline(answer, this.#options.deadline, this.#options.clock);
    if (outcome === undefined) {
      this.#end('unknown');
      void this.#return.releaseAfter(connection, answer);
      const error = new Error('no answer to COMMIT by the deadline');
      return { is: 'unanswered', error, transactionId, late: true };
    }
    connection.release();
    const { results, failure } = outcome;
    if (failure === undefined) {
      // COMMIT of a failed transaction is answered with success and the tag ROLLBACK.
      const committed = results[0]?.command === 'COMMIT';
      this.#end(committed ? 'committed' : 'rolled back');
      return committed ? { is: 'committed' } : { is: 'rolled back', error: new TransactionFailedError() };
    }
    const answered = isDefiniteRefusal(failure.error);
    this.#end(answered ? 'rolled back' : 'unknown');
    return answered
      ? { is: 'rolled back', error: failure.error }
      : { is: 'unanswered', error: failure.error, transactionId, late: false };
  }

  /** Nothing can be lost with a read-only transaction, so nobody waits for its COMMIT but the connection. */
  #commitReadOnly(connection: DriverConnection): CommitResult {
    this.#end('committed');
    void this.#return.releaseAfter(connection, connection.run([{ sql: 'commit' }]));
    return { is: 'committed' };
  }

  async #statement(statement: Statement): Promise<StatementResult> {
    const { repeatFirst } = this.#options;
    if (this.#state.is !== 'untouched' || repeatFirst === undefined) return this.#runOne(statement);
    this.#assertUsable();
    this.#isRepeating = true;
    try {
      return await repeatFirst(() => this.#runFirst(statement));
    } catch (error) {
      this.#failed ||= !(error instanceof ConcurrentUseError);
      throw error;
    } finally {
      this.#isRepeating = false;
    }
  }

  async #runOne(statement: Statement): Promise<StatementResult> {
    const connection = await this.#connection();
    const results = await this.#batch(connection, [statement]);
    return results.at(-1) ?? { rows: [], command: '', rowCount: undefined };
  }

  /** After a failure that another try may mend, the transaction is as untouched as before. */
  async #runFirst(statement: Statement): Promise<StatementResult> {
    const pending = this.#pending.snapshot();
    try {
      return await this.#runOne(statement);
    } catch (error) {
      if (isConnectionLoss(error) || judge(error, 'acquire', this.readOnly).retry)
        await this.#startAnew(pending, error);
      throw error;
    }
  }

  async #startAnew(pending: ReturnType<PendingStatements['snapshot']>, cause: unknown): Promise<void> {
    this.#failed = false;
    if (this.#state.is !== 'open') return;
    const { connection } = this.#state;
    this.#state = { is: 'untouched' };
    this.#pending.restore(pending);
    if (isConnectionLoss(cause)) connection.destroy(cause);
    else await orAborted(this.#return.takeBack(connection), this.#options.signal);
  }

  /** What waits, then `statements`, then the probe for the transaction id: one round trip. */
  async #batch(connection: DriverConnection, statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    const first = this.#pending.length;
    const probe = this.#probe();
    const all = [...this.#pending.statements, ...statements, ...(probe === undefined ? [] : [probe])];
    if (all.length === 0) return [];
    this.#assertHeld(connection);
    const startedAt = this.#options.clock.now();
    const { results, failure } = await this.#attention
      .attend(connection.run(all))
      .catch((error: unknown): BatchOutcome => ({ results: [], failure: { error } }));
    // A batch that fails in its entirety (a syntax error) leaves the server without the BEGIN that was in it.
    this.#pending.done(failure !== undefined && connection.status === 'idle' ? 0 : Math.min(first, results.length));
    const last = results.at(-1);
    this.#options.observer.statement({
      command: failure === undefined ? (results[first]?.command ?? '') : '',
      rowCount: results[first]?.rowCount,
      durationMs: this.#options.clock.now() - startedAt,
      failed: failure !== undefined,
    });
    if (failure !== undefined) {
      this.#failed = true;
      throw this.#options.signal?.aborted === true ? this.#options.signal.reason : failure.error;
    }
    this.#tellFirstAnswer?.();
    this.#tellFirstAnswer = undefined;
    if (probe === undefined) return results.slice(first);
    this.#transactionId = textOf(last?.rows[0]?.id);
    return results.slice(first, -1);
  }

  /** A statement runs, or waits to be run. */
  get #isBusy(): boolean {
    return this.#attention.busy || this.#isRepeating;
  }

  /** What asks for the transaction id, while it is not known and may be given. */
  #probe(): Statement | undefined {
    const { driver, settings } = this.#options;
    return settings.readOnly || this.#transactionId !== undefined ? undefined : driver.transactionIdProbe;
  }

  /** The connection, with BEGIN and all that waits done on it. */
  async #begun(): Promise<DriverConnection> {
    const connection = await this.#connection();
    if (this.#pending.length > 0) await this.#batch(connection, []);
    this.#assertHeld(connection);
    return connection;
  }

  async #connection(options?: { failedToo: boolean }): Promise<DriverConnection> {
    this.#assertUsable(options);
    if (this.#state.is === 'open') return this.#state.connection;
    const { driver, deadline, signal, settings } = this.#options;
    const { readOnly } = settings;
    const fresh = !mayBeElsewhere(settings);
    this.#listen();
    this.#reached = false;
    const acquired = driver.acquire({ deadline, readOnly, fresh, ...(signal && { signal }) });
    return this.#attention.attend(acquired.then(connection => this.#hold(connection))).catch((error: unknown) => {
      this.#failed = true;
      throw error;
    });
  }

  /** A connection that comes when the transaction has ended goes back as it came. */
  #hold(connection: DriverConnection): DriverConnection {
    const { signal } = this.#options;
    if (this.#state.is === 'untouched' && signal?.aborted !== true) {
      this.#state = { is: 'open', connection };
      this.#reached = true;
      return connection;
    }
    connection.release();
    throw signal?.aborted === true ? signal.reason : new SessionClosedError();
  }

  #assertUsable(options?: { failedToo: boolean }): void {
    this.#options.signal?.throwIfAborted();
    if (this.#state.is === 'ended' || this.#state.is === 'committing') throw new SessionClosedError();
    if (this.#attention.busy) throw new ConcurrentUseError();
    if (this.#failed && options?.failedToo !== true) throw new TransactionFailedError();
  }

  /** The transaction may have ended between two steps of one statement. */
  #assertHeld(connection: DriverConnection): void {
    if (this.#state.is === 'open' && this.#state.connection === connection) return;
    this.#options.signal?.throwIfAborted();
    throw new SessionClosedError();
  }

  #listen(): void {
    const { signal } = this.#options;
    if (signal === undefined || this.#unlisten !== undefined) return;
    const onAbort = () => this.#onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unlisten = () => signal.removeEventListener('abort', onAbort);
  }

  /** Takes the connection back at once: work that heeds no signal may hold on to the session for ever. */
  #onAbort(): void {
    if (this.#state.is === 'open') void this.rollback();
    else this.#attention.abandon(() => this.#options.signal?.reason);
  }

  #end(how: 'committed' | 'rolled back' | 'unknown'): void {
    this.#state = { is: 'ended', how };
    this.#unlisten?.();
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
