import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { ConcurrentUseError, SessionClosedError, TransactionFailedError } from '../errors/session-errors.js';
import { isConnectionLoss, severityOf } from '../errors/sql-state.js';
import { type FailurePhase, judge } from '../retry/failure-verdict.js';
import type { DatabaseDriver, DriverConnection, Row, Statement, StatementResult } from './driver.js';
import { GracePeriod, type GracePeriodOptions } from './grace-period.js';
import { PendingStatements } from './pending-statements.js';
import { toQueryResult } from './query-result.js';
import { beginStatements, type TransactionSettings } from './transaction-settings.js';

/** Told about each statement; never its text or its values. */
export interface StatementObserver {
  statement(event: { command: string; rowCount: number | undefined; durationMs: number; failed: boolean }): void;
}

/** Aborting `signal` ends the running statement on the server, and refuses further ones. */
export interface LazyTransactionOptions extends GracePeriodOptions {
  readonly driver: DatabaseDriver;
  readonly settings: TransactionSettings;
  readonly observer: StatementObserver;
  /**
   * Runs the first statement, and may run it again: until it is answered, nothing of the transaction can be there.
   * Left out where the whole unit is run again anyway.
   */
  readonly repeatFirst?: <T>(attempt: () => Promise<T>) => Promise<T>;
}

export type CommitResult =
  | { readonly is: 'committed' }
  /** The server answered: it rolled back. */
  | { readonly is: 'rolled back'; readonly error: unknown }
  /** COMMIT was sent and not answered. Without a transaction id, nothing had been written. */
  | { readonly is: 'unanswered'; readonly error: unknown; readonly transactionId: string | undefined };

type State =
  | { readonly is: 'untouched' }
  | { readonly is: 'open'; readonly connection: DriverConnection }
  | { readonly is: 'committing'; readonly connection: DriverConnection }
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
  readonly #grace: GracePeriod;
  #state: State = { is: 'untouched' };
  #failed = false;
  #running = false;
  #transactionId: string | undefined;
  #unlisten: (() => void) | undefined;
  #rollingBack: Promise<void> | undefined;
  #tellFirstAnswer: (() => void) | undefined;

  constructor(options: LazyTransactionOptions) {
    this.#options = options;
    this.#grace = new GracePeriod(options);
    for (const sql of beginStatements(options.settings)) this.#pending.add(sql);
  }

  get phase(): FailurePhase {
    if (this.#state.is === 'untouched' || this.#pending.length > 0) return 'acquire';
    return this.#state.is === 'open' ? 'work' : 'commit';
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

  get ended(): boolean {
    return this.#state.is === 'ended';
  }

  /** False before the first statement: a transaction that did nothing holds none. */
  get holdsConnection(): boolean {
    return this.#state.is === 'open' || this.#state.is === 'committing';
  }

  /** Known once something was written, before COMMIT is sent. */
  get transactionId(): string | undefined {
    return this.#transactionId;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.#statement({ sql: query.sql, parameters: query.parameters });
    return toQueryResult<R>(result);
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    const connection = await this.#connection();
    if (this.#pending.length > 0) await this.#batch(connection, []);
    const chunks = connection.stream({ sql: query.sql, parameters: query.parameters }, chunkSize);
    for await (const rows of this.#exclusively(chunks)) yield { rows: rows as R[] };
  }

  /** Runs `work` on the connection itself, inside the transaction. */
  async withConnection<T>(work: (connection: DriverConnection) => Promise<T>): Promise<T> {
    const connection = await this.#connection();
    if (this.#pending.length > 0) await this.#batch(connection, []);
    this.#enter();
    try {
      return await work(connection);
    } catch (error) {
      this.#failed = true;
      throw this.#options.signal?.aborted === true ? this.#options.signal.reason : error;
    } finally {
      this.#leave();
      if (!this.#failed && this.#probe() !== undefined) await this.#batch(connection, []);
    }
  }

  /** Ends the statement that runs, if one does, so that a rollback need not wait for it. */
  interrupt(): void {
    if (this.#state.is === 'open' && this.#running) this.#grace.cancel(this.#state.connection);
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

  /** Never rejects. What `unanswered` means is for the caller to find out. */
  async commit(): Promise<CommitResult> {
    if (this.#state.is === 'untouched') {
      this.#end(this.#failed ? 'rolled back' : 'committed');
      return this.#failed ? { is: 'rolled back', error: new TransactionFailedError() } : { is: 'committed' };
    }
    if (this.#options.signal?.aborted === true) {
      await this.rollback();
      return { is: 'rolled back', error: this.#options.signal.reason };
    }
    if (this.#state.is !== 'open') return { is: 'rolled back', error: new SessionClosedError() };
    const { connection } = this.#state;
    if (this.#running) {
      await this.rollback();
      return { is: 'rolled back', error: new ConcurrentUseError() };
    }
    if (this.#failed || connection.status === 'failed transaction') {
      await this.rollback();
      return { is: 'rolled back', error: new TransactionFailedError() };
    }
    if (connection.status === 'lost') {
      this.#end('rolled back');
      return { is: 'rolled back', error: new Error('Connection terminated before COMMIT was sent') };
    }
    return this.#options.settings.readOnly ? this.#commitReadOnly(connection) : this.#commit(connection);
  }

  /** Never rejects, and does nothing to a transaction that has ended. */
  rollback(): Promise<void> {
    this.#rollingBack ??= this.#rollback();
    return this.#rollingBack;
  }

  async #rollback(): Promise<void> {
    if (this.#state.is === 'open') {
      const { connection } = this.#state;
      if (!this.#running) await this.#grace.cancelled();
      // While a statement runs, `status` is that of before: idle, when it is the one that BEGIN rides with.
      if (this.#running || connection.status === 'lost') {
        connection.destroy(new SessionClosedError());
      } else if (connection.status !== 'idle') {
        this.#grace.begin(connection);
        await connection.run([{ sql: 'rollback' }]);
        this.#grace.end();
      }
    }
    this.#end('rolled back');
  }

  async #commit(connection: DriverConnection): Promise<CommitResult> {
    const transactionId = this.#transactionId;
    this.#state = { is: 'committing', connection };
    this.#grace.untilDeadline(connection);
    const { results, failure } = await connection.run([{ sql: 'commit' }]);
    if (failure === undefined) {
      // COMMIT of a failed transaction is answered with success and the tag ROLLBACK.
      const committed = results[0]?.command === 'COMMIT';
      this.#end(committed ? 'committed' : 'rolled back');
      return committed ? { is: 'committed' } : { is: 'rolled back', error: new TransactionFailedError() };
    }
    const answered = severityOf(failure.error) === 'ERROR' && !isConnectionLoss(failure.error);
    this.#end(answered ? 'rolled back' : 'unknown');
    return answered
      ? { is: 'rolled back', error: failure.error }
      : { is: 'unanswered', error: failure.error, transactionId };
  }

  /** Nothing can be lost with a read-only transaction, so nobody waits for its COMMIT but the connection. */
  #commitReadOnly(connection: DriverConnection): CommitResult {
    this.#state = { is: 'ended', how: 'committed' };
    this.#unlisten?.();
    this.#grace.begin(connection);
    void connection.run([{ sql: 'commit' }]).then(() => {
      this.#grace.end();
      connection.release();
    });
    return { is: 'committed' };
  }

  async #statement(statement: Statement): Promise<StatementResult> {
    const { repeatFirst } = this.#options;
    if (this.#state.is !== 'untouched' || repeatFirst === undefined) return this.#runOne(statement);
    try {
      return await repeatFirst(() => this.#runFirst(statement));
    } catch (error) {
      this.#failed ||= !(error instanceof ConcurrentUseError);
      throw error;
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
    this.#unlisten?.();
    this.#state = { is: 'untouched' };
    this.#pending.restore(pending);
    if (isConnectionLoss(cause)) {
      connection.destroy(cause);
      return;
    }
    this.#grace.begin(connection);
    await connection.run([{ sql: 'rollback' }]);
    this.#grace.end();
    connection.release();
  }

  /** What waits, then `statements`, then the probe for the transaction id: one round trip. */
  async #batch(connection: DriverConnection, statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    const first = this.#pending.length;
    const probe = this.#probe();
    const all = [...this.#pending.statements, ...statements, ...(probe === undefined ? [] : [probe])];
    if (all.length === 0) return [];
    const startedAt = this.#options.clock.now();
    this.#enter();
    const { results, failure } = await connection.run(all).finally(() => this.#leave());
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

  /** What asks for the transaction id, while it is not known and may be given. */
  #probe(): Statement | undefined {
    const { driver, settings } = this.#options;
    return settings.readOnly || this.#transactionId !== undefined ? undefined : driver.transactionIdProbe;
  }

  async #connection(options?: { failedToo: boolean }): Promise<DriverConnection> {
    this.#assertUsable(options);
    if (this.#state.is === 'open') return this.#state.connection;
    const { driver, deadline, signal, settings } = this.#options;
    this.#enter();
    const { readOnly, isolation } = settings;
    // A standby has no serializable transactions (PostgreSQL manual, 13.2.3).
    const fresh = settings.fresh === true || isolation === 'serializable';
    const acquired = driver.acquire({ deadline, readOnly, fresh, ...(signal && { signal }) });
    const connection = await acquired
      .catch((error: unknown) => {
        this.#failed = true;
        throw error;
      })
      .finally(() => this.#leave());
    if (this.#state.is !== 'untouched') {
      connection.release();
      throw new SessionClosedError();
    }
    this.#state = { is: 'open', connection };
    this.#listen();
    if (signal?.aborted === true) this.#onAbort();
    signal?.throwIfAborted();
    return connection;
  }

  #assertUsable(options?: { failedToo: boolean }): void {
    this.#options.signal?.throwIfAborted();
    if (this.#state.is === 'ended' || this.#state.is === 'committing') throw new SessionClosedError();
    if (this.#running) throw new ConcurrentUseError();
    if (this.#failed && options?.failedToo !== true) throw new TransactionFailedError();
  }

  #enter(): void {
    this.#running = true;
  }

  #leave(): void {
    this.#running = false;
    if (this.#options.signal?.aborted === true) this.#onAbort();
  }

  async *#exclusively(chunks: AsyncIterable<Row[]>): AsyncIterableIterator<Row[]> {
    this.#enter();
    try {
      yield* chunks;
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#leave();
    }
  }

  #listen(): void {
    const { signal } = this.#options;
    if (signal === undefined) return;
    const onAbort = () => this.#onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unlisten = () => signal.removeEventListener('abort', onAbort);
  }

  /** Takes the connection back at once: work that heeds no signal may hold on to the session for ever. */
  #onAbort(): void {
    if (this.#state.is !== 'open') return;
    if (this.#running) this.#grace.cancel(this.#state.connection);
    else void this.rollback();
  }

  #end(how: 'committed' | 'rolled back' | 'unknown'): void {
    const state = this.#state;
    if (state.is === 'ended') return;
    this.#state = { is: 'ended', how };
    this.#grace.end();
    this.#unlisten?.();
    if (state.is !== 'untouched') state.connection.release();
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
