import type { Clock, Deadline } from '@keelson/core';
import { assertAble, assertEndsWithTransaction, checksStatements } from '../driver/assert-able.js';
import type { DatabaseDriver, DriverConnection, Row, Statement, StatementResult } from '../driver/driver.js';
import { markFault } from '../errors/fault-origin.js';
import {
  ConcurrentUseError,
  CopyRefusedError,
  SessionClosedError,
  TransactionFailedError,
} from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import type { CommitProof } from '../proof/commit-proof.js';
import { judge } from '../retry/failure-verdict.js';
import { commitOn } from './commit.js';
import { HeldConnection } from './held-connection.js';
import { isWorking } from './outcome.js';
import { OwnedEnding } from './owned-ending.js';
import { SavepointCommands } from './savepoint-commands.js';
import { Savepoints } from './savepoints.js';
import type { StatementObserver } from './statement-observer.js';
import type { StatementTracer } from './statement-tracer.js';
import { Statements } from './statements.js';
import { copiesWithClient, transactionCommandIn, writingCommandIn } from './transaction-commands.js';
import type { TransactionSettings } from './transaction-settings.js';
import { Turns } from './turns.js';
import type { UnitOutcome } from './unit-outcome.js';
import { WorkMark } from './work-mark.js';

/**
 * Aborting `signal` ends the transaction: a pending statement of it rejects at once, the rollback and the
 * return of the connection go on in the background, and further statements are refused.
 */
export interface LazyTransactionOptions {
  readonly driver: DatabaseDriver;
  readonly proof: CommitProof;
  readonly clock: Clock;
  readonly deadline: Deadline;
  readonly signal?: AbortSignal;
  readonly settings: TransactionSettings;
  readonly observer: StatementObserver;
  readonly tracer?: StatementTracer | undefined;
  /** Of its session. Default `session`. */
  readonly name?: string;
  /** How long the server may stay silent at each step of a rollback before the socket is destroyed, in ms. */
  readonly cancelGraceMs: number;
  /** Moved here as the server answers. */
  readonly outcome: UnitOutcome;
  /**
   * Runs the first statement, and may run it again: until it is answered, nothing of the transaction can be there.
   * Left out where the whole unit is run again anyway.
   */
  readonly repeatFirst?: (<T>(attempt: () => Promise<T>) => Promise<T>) | undefined;
}

const nothing: StatementResult = { rows: [], command: '', rowCount: undefined };

function changesRows({ command, rowCount = 0 }: StatementResult): boolean {
  return rowCount > 0 && command !== 'SELECT';
}

/**
 * A transaction that takes a connection at its first statement, and sends BEGIN, settings and savepoints together with
 * it: one that runs nothing costs nothing, one of n statements n + 1 round trips, a read-only one n for its caller.
 */
export class LazyTransaction {
  readonly #options: LazyTransactionOptions;
  readonly #outcome: UnitOutcome;
  readonly #held: HeldConnection;
  readonly #statements: Statements;
  readonly #savepoints = new Savepoints();
  readonly #turns = new Turns();
  readonly #ending: OwnedEnding;
  /** Made for the first savepoint: most transactions have none. */
  #savepointCommands: SavepointCommands | undefined;
  readonly #checksStatements: boolean;
  #readers = 0;
  #changes = 0;
  /** A statement was to be sent, also when it never got as far as a connection. */
  #isAsked = false;
  #position: string | undefined;
  #rollingBack: Promise<void> | undefined;

  constructor(options: LazyTransactionOptions) {
    this.#options = options;
    this.#outcome = options.outcome;
    this.#checksStatements = checksStatements(options.driver);
    this.#held = new HeldConnection(options);
    this.#statements = new Statements(options, this.#held);
    this.#ending = new OwnedEnding(this, options.outcome);
  }

  get driver(): DatabaseDriver {
    return this.#options.driver;
  }

  /** Calls `listener` once, when the server has done a statement of it. */
  onFirstAnswer(listener: () => void): void {
    this.#statements.onFirstAnswer(listener);
  }

  /** False before the first statement: a transaction that did nothing holds none. */
  get holdsConnection(): boolean {
    return this.#held.current !== undefined;
  }

  /** Its commit waits for nothing: nothing can be lost, and no message has still to be sent. */
  get endsAtOnce(): boolean {
    const { pending } = this.#statements;
    return (this.#options.settings.readOnly || !this.holdsConnection) && !this.#isBusy && !pending.hasNotices;
  }

  /** A stream of it has been begun and neither read to its end nor left: Kysely lets nothing else through meanwhile. */
  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** How many statements have changed rows. */
  get changes(): number {
    return this.#changes;
  }

  /** A flush failed after it had changed rows, so only a part of it is there: its savepoint, or the unit, must be rolled back. */
  loseBlock(cause: unknown): void {
    this.#savepoints.lose(new TransactionFailedError(cause));
  }

  /** How far a replica must have come to show its commit, when its settings ask for that and the server has said it. */
  get position(): string | undefined {
    return this.#position;
  }

  /** Whether a savepoint has taken back the part that the calling code is in, by the time that it is asked. */
  partUndone(): () => boolean {
    return this.#savepoints.partUndone();
  }

  /** Work begins that may be undone later. */
  markWork(): WorkMark {
    return new WorkMark(this.#outcome, this.#savepoints);
  }

  /** Runs one statement, which must neither begin nor end a transaction, nor a savepoint. */
  run(statement: Statement): Promise<StatementResult> {
    this.#isAsked = true;
    return this.#turns.take(() => this.#run(statement));
  }

  /** Sends a message with the commit. It rides with the next statement, and causes one only when no other follows. */
  notify(channel: string, payload: string): void {
    this.#assertNotOver();
    if (this.#outcome.now.is === 'failed') throw new TransactionFailedError();
    this.#savepoints.assertUsable();
    this.#isAsked = true;
    this.#statements.pending.addNotice(channel, payload, this.#savepoints.noteNotice());
  }

  /** Rows of one statement, `chunkSize` at a time. */
  async *stream<R>(statement: Statement, chunkSize: number): AsyncIterableIterator<{ rows: R[] }> {
    assertAble(this.#options.driver, 'stream');
    const command = this.#refusedIn(statement);
    if (command === undefined) this.#assertSendable(statement);
    const connection = await this.#turns.take(() => (command === undefined ? this.#begun() : this.#refuse(command)));
    const chunks: AsyncIterable<Row[]> = connection.stream(statement, chunkSize);
    this.#readers += 1;
    try {
      for await (const rows of this.#held.wait.read(chunks)) yield { rows: rows as R[] };
      this.#statements.assertInTransaction(connection);
    } catch (error) {
      this.#outcome.move({ it: 'failed', by: error });
      throw error;
    } finally {
      this.#readers -= 1;
    }
  }

  /** Runs `work` on the connection itself, inside the transaction. */
  async withConnection<T>(work: (connection: DriverConnection) => Promise<T>): Promise<T> {
    if (this.#isBusy) throw new ConcurrentUseError();
    return this.#turns.take(() => this.#withConnection(work));
  }

  savepoint(name: string): Promise<void> {
    return this.#turns.take(async () => this.#commands.set(name));
  }

  /** Undoes all that ran since, also of other flows: they, or the unit, fail then. The savepoint stays. */
  rollbackToSavepoint(name: string): Promise<void> {
    return this.#turns.take(async () => void (await this.#commands.rollBackTo(name)));
  }

  /** The same for a savepoint that is not used again. */
  undoSavepoint(name: string): Promise<void> {
    return this.#turns.take(() => this.#commands.undo(name));
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#turns.take(() => this.#commands.release(name));
  }

  /**
   * Resolves when it is committed, and ends by the deadline. What a rejection means is read from the outcome; one that
   * is still open was not sent COMMIT, and is to be rolled back.
   */
  async commit(): Promise<void> {
    this.#assertMayCommit();
    if (this.#statements.pending.hasNotices) {
      await this.#sendNotices();
      this.#assertMayCommit();
    }
    this.#position = await commitOn(this.#held, this.#options);
  }

  /** Ends it for work that would have begun or ended a transaction past its owner, with `by`. */
  refuseByHand(by: string): Promise<never> {
    return this.#turns.take(() => this.#refuse(by));
  }

  /** From now on MikroORM may commit it: its owner asks for that. `beforeCommit` is the last that runs in it. */
  letCommit(beforeCommit: () => Promise<void>): void {
    this.#ending.letCommit(beforeCommit);
  }

  /** MikroORM commits it: for its owner, or past it. */
  commitForOrm(): Promise<void> {
    return this.#ending.commitForOrm();
  }

  /** MikroORM rolls it back: for its owner, who has noted that it is over, or past it. */
  rollbackForOrm(): Promise<void> {
    return this.#ending.rollbackForOrm();
  }

  /**
   * Takes everything back. A caller that waits for a statement waits no longer. Resolves when the server has rolled back, or when
   * the signal aborts: then the rest is done in the background. Never rejects, and does nothing once COMMIT was sent.
   */
  rollback(): Promise<void> {
    this.#rollingBack ??= this.#rollBack();
    return this.#rollingBack;
  }

  async #rollBack(): Promise<void> {
    if (this.#outcome.now.is !== 'committing') await this.#held.takeBack();
  }

  /** Those that no statement took along. */
  async #sendNotices(): Promise<void> {
    const last = this.#statements.pending.takeLastNotice();
    if (last !== undefined) await this.run(last);
  }

  #assertMayCommit(): void {
    const refusal = this.#whyNotCommitted();
    if (refusal !== undefined) throw refusal.error;
  }

  #whyNotCommitted(): { readonly error: unknown } | undefined {
    const outcome = this.#outcome.now;
    if (this.#isUnused) return undefined;
    if (this.#options.signal?.aborted === true) return { error: this.#options.signal.reason };
    if (this.#isBusy || this.#savepoints.nested) return { error: new ConcurrentUseError() };
    if (outcome.is === 'failed') return { error: new TransactionFailedError() };
    if (outcome.is === 'ended by hand') return { error: outcome.error };
    if (outcome.is !== 'open') return { error: new SessionClosedError() };
    const status = this.#held.current?.status;
    if (status === 'failed transaction') return { error: new TransactionFailedError() };
    if (status === 'lost') return { error: this.#lostBeforeCommit() };
    return this.#savepoints.lost === undefined ? undefined : { error: this.#savepoints.lost };
  }

  #lostBeforeCommit(): Error {
    const error = new Error('Connection terminated before COMMIT was sent');
    markFault(error, this.#options.driver);
    return error;
  }

  /** Nothing of it has been asked of the server. */
  get #isUnused(): boolean {
    const outcome = this.#outcome.now;
    if (this.#isBusy) return false;
    return outcome.is === 'untouched' || (outcome.is === 'cut short' && outcome.unused && !this.#isAsked);
  }

  async #run(statement: Statement): Promise<StatementResult> {
    const command = this.#refusedIn(statement);
    if (command !== undefined) return await this.#refuse(command);
    this.#assertSendable(statement);
    const repeatFirst = this.#outcome.now.is === 'untouched' ? this.#options.repeatFirst : undefined;
    if (repeatFirst === undefined) return this.#runOne(statement);
    this.#assertUsable();
    try {
      return await repeatFirst(() => this.#runFirst(statement));
    } catch (error) {
      if (!(error instanceof ConcurrentUseError)) this.#outcome.move({ it: 'failed', by: error });
      throw error;
    }
  }

  async #withConnection<T>(work: (connection: DriverConnection) => Promise<T>): Promise<T> {
    const connection = await this.#begun();
    const result = await this.#held.wait.until(work(connection)).catch((error: unknown) => {
      this.#outcome.move({ it: 'failed', by: error });
      throw this.#options.signal?.aborted === true ? this.#options.signal.reason : error;
    });
    this.#changes += 1;
    await this.#statements.runMark(connection);
    return result;
  }

  async #runOne(statement: Statement): Promise<StatementResult> {
    const connection = await this.#connection();
    this.#savepoints.note();
    const results = await this.#statements.run(connection, [{ ...statement, isOne: true }]);
    const result = results.at(-1) ?? nothing;
    if (changesRows(result)) this.#changes += 1;
    return result;
  }

  /** After a failure that another try may mend, the transaction is as untouched as before. */
  async #runFirst(statement: Statement): Promise<StatementResult> {
    const { pending } = this.#statements;
    const waiting = pending.snapshot();
    try {
      return await this.#runOne(statement);
    } catch (error) {
      if (isConnectionLoss(error) || judge(error, 'acquire', this.#options.settings.readOnly).retry) {
        this.#outcome.move({ it: 'starts afresh' });
        if (this.#held.current !== undefined) pending.restore(waiting);
        await this.#held.exchange(error);
      }
      throw error;
    }
  }

  get #commands(): SavepointCommands {
    this.#savepointCommands ??= new SavepointCommands({
      driver: this.#options.driver,
      outcome: this.#outcome,
      held: this.#held,
      statements: this.#statements,
      savepoints: this.#savepoints,
      assertUsable: () => this.#assertUsable(),
      connection: options => this.#connection(options),
    });
    return this.#savepointCommands;
  }

  /** A statement runs, or waits to be run. */
  get #isBusy(): boolean {
    return this.#held.wait.busy || this.#turns.busy;
  }

  /** The connection, with BEGIN and all that waits done on it. */
  async #begun(): Promise<DriverConnection> {
    const connection = await this.#connection();
    this.#savepoints.note();
    await this.#statements.runPending(connection);
    this.#statements.assertHeld(connection);
    return connection;
  }

  async #connection(options?: { failedToo: boolean }): Promise<DriverConnection> {
    this.#assertUsable(options);
    return this.#held.current ?? this.#held.acquire();
  }

  #refusedIn({ sql }: Statement): string | undefined {
    return transactionCommandIn(sql) ?? (this.#options.settings.readOnly ? writingCommandIn(sql) : undefined);
  }

  #assertSendable({ sql }: Statement): void {
    if (copiesWithClient(sql)) throw new CopyRefusedError();
    if (this.#checksStatements) assertEndsWithTransaction(this.#options.driver, sql);
  }

  /** A command that would end the transaction past its owner is not sent. */
  async #refuse(command: string): Promise<never> {
    this.#assertUsable();
    return await this.#ending.refuse(command);
  }

  #assertUsable(options?: { failedToo: boolean }): void {
    this.#assertNotOver();
    if (this.#held.wait.busy) throw new ConcurrentUseError();
    if (options?.failedToo === true) return;
    if (this.#outcome.now.is === 'failed') throw new TransactionFailedError();
    this.#savepoints.assertUsable();
  }

  #assertNotOver(): void {
    this.#options.signal?.throwIfAborted();
    const outcome = this.#outcome.now;
    if (outcome.is === 'ended by hand') throw outcome.error;
    if (!isWorking(outcome)) throw new SessionClosedError();
  }
}
