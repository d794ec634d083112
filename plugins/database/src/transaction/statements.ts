import type { Clock } from '@keelson/core';
import type { BatchOutcome, DatabaseDriver, DriverConnection, Statement, StatementResult } from '../driver/driver.js';
import { SeveralStatementsError, type StoredByHand, TransactionByHandError } from '../errors/session-errors.js';
import { sqlStateOf } from '../errors/sql-state.js';
import type { HeldConnection } from './held-connection.js';
import { PendingStatements } from './pending-statements.js';
import type { StatementObserver } from './statement-observer.js';
import { endingOf, isPlainRead } from './transaction-commands.js';
import { beginStatements, mayStandAlone, type TransactionSettings } from './transaction-settings.js';
import type { UnitOutcome } from './unit-outcome.js';

export interface StatementsOptions {
  readonly driver: Pick<DatabaseDriver, 'transactionIdProbe' | 'isReadCommitted' | 'transactionLimits'>;
  readonly outcome: UnitOutcome;
  readonly settings: TransactionSettings;
  readonly observer: StatementObserver;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Runs the statements of one transaction: what waits, then what was asked for, then the probe for its id, in one round trip. */
export class Statements {
  /** BEGIN, settings and savepoints that were not sent yet. */
  readonly pending = new PendingStatements();
  readonly #options: StatementsOptions;
  readonly #held: HeldConnection;
  readonly #mayStandAlone: boolean;
  #onFirstAnswer: (() => void) | undefined;

  constructor(options: StatementsOptions, held: HeldConnection) {
    this.#options = options;
    this.#held = held;
    this.#mayStandAlone = mayStandAlone(options.settings, options.driver);
    for (const sql of beginStatements(options.settings, options.driver.transactionLimits)) this.pending.add(sql);
  }

  /** Calls `listener` once, when the server has done a statement. */
  onFirstAnswer(listener: () => void): void {
    this.#onFirstAnswer = listener;
  }

  /** What has waited until now. */
  async runPending(connection: DriverConnection): Promise<void> {
    if (this.pending.length > 0) await this.run(connection, []);
  }

  async run(connection: DriverConnection, statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    const { observer, clock } = this.#options;
    if (this.pending.hasNotices) this.pending.dropUndoneNotices();
    const first = this.pending.length;
    const alone = this.#standsAlone(connection, statements);
    const last = alone ? commit : this.#probe();
    const all = [...this.pending.statements, ...statements, ...(last === undefined ? [] : [last])];
    if (all.length === 0) return [];
    this.assertHeld(connection);
    const startedAt = clock.now();
    const outcome = await this.#held.wait
      .until(connection.run(all))
      .catch((error: unknown): BatchOutcome => ({ results: [], failure: { error } }));
    const { results, failure } = outcome;
    observer.statement({
      command: failure === undefined ? (results[first]?.command ?? '') : '',
      rowCount: results[first]?.rowCount,
      durationMs: clock.now() - startedAt,
      failed: failure !== undefined,
    });
    if (!alone) this.#assertGoesOn(connection, outcome, statements[0], results[first]);
    this.#settle(connection, outcome, alone ? 'all' : first, !alone && last !== undefined);
    return last === undefined ? results.slice(first) : results.slice(first, -1);
  }

  /** COMMIT rides with the statement, and what waits will be sent again with the next: nothing of a read spans the two. */
  #standsAlone(connection: DriverConnection, statements: readonly Statement[]): boolean {
    const [statement] = statements;
    return (
      this.#mayStandAlone &&
      connection.status === 'idle' &&
      statement?.isOne === true &&
      !this.pending.hasSavepoint &&
      isPlainRead(statement.sql)
    );
  }

  /** Asks for the transaction id after work on the connection itself. */
  async runProbe(connection: DriverConnection): Promise<void> {
    if (this.#probe() !== undefined) await this.run(connection, []);
  }

  /** The transaction may have ended between two steps of one statement. */
  assertHeld(connection: DriverConnection): void {
    const { is } = this.#options.outcome.now;
    if (this.#held.current === connection && (is === 'open' || is === 'failed')) return;
    throw this.#held.reason();
  }

  /** Nothing has ended the transaction, whatever ran on the connection. */
  assertInTransaction(connection: DriverConnection): void {
    if (connection.status === 'idle') this.#endedByHand({ by: 'a statement', stored: 'unknown' });
  }

  /** The server has the last word on whether a statement has ended the transaction. */
  #assertGoesOn(
    connection: DriverConnection,
    { failure }: BatchOutcome,
    statement: Statement | undefined,
    result: StatementResult | undefined,
  ): void {
    if (statement?.isOne !== true) return;
    if (result !== undefined) {
      const ending = endingOf(result, connection.status);
      if (ending !== undefined) this.#endedByHand(ending);
    } else if (failure !== undefined && connection.status === 'idle' && this.#options.outcome.now.answered) {
      this.#endedByHand({ by: 'a COMMIT that failed', stored: 'nothing' });
    }
  }

  #endedByHand(ending: { readonly by: string; readonly stored: StoredByHand }): never {
    const error = new TransactionByHandError(ending);
    this.#options.outcome.move({ it: 'was ended by hand', error, stored: ending.stored !== 'nothing' });
    this.#held.destroy(error);
    throw error;
  }

  /** What the answer means for the outcome. */
  #settle(
    connection: DriverConnection,
    { results, failure }: BatchOutcome,
    first: number | 'all',
    probed: boolean,
  ): void {
    const { outcome, signal } = this.#options;
    // A batch that fails in its entirety (a syntax error) leaves the server without the BEGIN that was in it.
    const isUndone = first === 'all' || (failure !== undefined && connection.status === 'idle');
    const done = isUndone ? 0 : Math.min(first, results.length);
    this.pending.done(done);
    const transactionId = probed && failure === undefined ? textOf(results.at(-1)?.rows[0]?.id) : undefined;
    const news = !outcome.now.answered || transactionId !== undefined;
    if (news && (first === 'all' ? failure === undefined : done === first))
      outcome.move({ it: 'was answered', transactionId });
    if (failure !== undefined) {
      outcome.move({ it: 'failed', by: failure.error });
      throw signal?.aborted === true ? signal.reason : clearly(failure.error);
    }
    this.#onFirstAnswer?.();
    this.#onFirstAnswer = undefined;
  }

  /** What asks for the transaction id, while it is not known and may be given. */
  #probe(): Statement | undefined {
    const { settings, outcome, driver } = this.#options;
    return settings.readOnly || outcome.now.transactionId !== undefined ? undefined : driver.transactionIdProbe;
  }
}

const commit: Statement = { sql: 'commit', recurs: true };

/** PostgreSQL refuses several commands in one text where it prepares a statement, and gives that no SQLSTATE of its own. */
function clearly(error: unknown): unknown {
  const isSeveral = sqlStateOf(error) === '42601' && Reflect.get(Object(error), 'routine') === 'exec_parse_message';
  return isSeveral ? new SeveralStatementsError(error) : error;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
