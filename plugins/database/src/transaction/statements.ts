import type { Clock } from '@keelson/core';
import type { BatchOutcome, DatabaseDriver, DriverConnection, Statement, StatementResult } from '../driver/driver.js';
import { IdentityRefusedError } from '../errors/identity-errors.js';
import { SeveralStatementsError, type StoredByHand, TransactionByHandError } from '../errors/session-errors.js';
import { sqlStateOf } from '../errors/sql-state.js';
import type { CommitProof } from '../proof/commit-proof.js';
import type { HeldConnection } from './held-connection.js';
import { PendingStatements } from './pending-statements.js';
import type { RepeatCounter, StatementObserver } from './statement-observer.js';
import type { StatementTracer } from './statement-tracer.js';
import { endingOf, isPlainRead, makesReadOnly, mustComeFirst } from './transaction-commands.js';
import { beginStatements, mayStandAlone, type TransactionSettings } from './transaction-settings.js';
import type { UnitOutcome } from './unit-outcome.js';

export interface StatementsOptions {
  readonly driver: Pick<DatabaseDriver, 'isReadCommitted' | 'transactionLimits'>;
  readonly proof: CommitProof;
  readonly outcome: UnitOutcome;
  readonly settings: TransactionSettings;
  readonly observer: StatementObserver;
  readonly tracer?: StatementTracer | undefined;
  /** Name of the session for the observer. Default `session`. */
  readonly name?: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Runs the statements of one transaction: what waits, what was asked for, and the mark by which its commit can be looked up, in one round trip. */
export class Statements {
  /** BEGIN, settings and savepoints that were not sent yet. */
  readonly pending = new PendingStatements();
  readonly #options: StatementsOptions;
  readonly #held: HeldConnection;
  readonly #mayStandAlone: boolean;
  #onFirstAnswer: (() => void) | undefined;
  /** The first statement of the session, and from the second on what counts them. */
  #firstSql: string | undefined;
  #repeats: RepeatCounter | undefined;
  /** The work has made it read-only by a statement of its own. */
  #isMadeReadOnly = false;

  constructor(options: StatementsOptions, held: HeldConnection) {
    this.#options = options;
    this.#held = held;
    this.#mayStandAlone = mayStandAlone(options.settings, options.driver);
    for (const sql of beginStatements(options.settings, options.driver.transactionLimits)) this.pending.add(sql);
    const { identity } = options.settings;
    if (identity !== undefined) this.pending.addStatement(identity.statement);
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
    const { observer, tracer, clock, name = 'session' } = this.#options;
    const sql = statements[0]?.sql;
    if (this.pending.hasNotices) this.pending.dropUndoneNotices();
    const alone = this.#standsAlone(connection, statements);
    const last = alone ? commit : this.#mark(statements[0]);
    const first = this.pending.length;
    const all = [...this.pending.statements, ...statements, ...(last === undefined ? [] : [last])];
    if (all.length === 0) return [];
    this.assertHeld(connection);
    const startedAt = clock.now();
    const span = tracer?.beginStatement(all[statements.length > 0 ? first : 0]?.sql ?? '');
    const outcome = await this.#held.wait
      .until(connection.run(all))
      .catch((error: unknown): BatchOutcome => ({ results: [], failure: { error } }));
    const { results, failure } = outcome;
    tracer?.endStatement(span, outcome, results[first]?.rowCount);
    observer.statement({
      command: failure === undefined ? (results[first]?.command ?? '') : '',
      rowCount: results[first]?.rowCount,
      durationMs: clock.now() - startedAt,
      failed: failure !== undefined,
      sql,
      session: name,
    });
    if (sql !== undefined && observer.countRepeats !== undefined) this.#countRepeats(sql);
    if (!alone) this.#assertGoesOn(connection, outcome, statements[0], results[first]);
    this.#settle(connection, outcome, alone ? 'all' : first, !alone && last !== undefined);
    return last === undefined ? results.slice(first) : results.slice(first, -1);
  }

  /** A session of one statement, as most are, costs nothing. */
  #countRepeats(sql: string): void {
    if (this.#firstSql === undefined) {
      this.#firstSql = sql;
      return;
    }
    if (this.#repeats === undefined) {
      this.#repeats = this.#options.observer.countRepeats?.(this.#options.name ?? 'session');
      this.#repeats?.add(this.#firstSql);
    }
    this.#repeats?.add(sql);
  }

  /**
   * Whether the statement is a plain read that can be a transaction of its own: COMMIT is sent with it, and BEGIN with its
   * settings is sent again with the next statement.
   */
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

  /** Marks the transaction after work on the connection itself, where it is not marked yet. */
  async runMark(connection: DriverConnection): Promise<void> {
    if (this.#isToBeMarked && this.#options.proof.name !== 'none') await this.run(connection, []);
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
    const refused = failure && this.#refusedIdentity(results.length, failure.error);
    // A batch that fails in its entirety (a syntax error) leaves the server without the BEGIN that was in it.
    const isUndone = first === 'all' || (failure !== undefined && connection.status === 'idle');
    const waiting = this.pending.commitKey;
    const done = isUndone ? 0 : Math.min(first, results.length);
    this.pending.done(done);
    const given = probed && failure === undefined ? textOf(results.at(-1)?.rows[0]?.id) : undefined;
    const commitKey = waiting === this.pending.commitKey ? given : waiting;
    const news = !outcome.now.answered || commitKey !== undefined;
    if (news && (first === 'all' ? failure === undefined : done === first))
      outcome.move({ it: 'was answered', commitKey });
    if (failure !== undefined) {
      outcome.move({ it: 'failed', by: failure.error });
      throw signal?.aborted === true ? signal.reason : (refused ?? clearly(failure.error));
    }
    this.#onFirstAnswer?.();
    this.#onFirstAnswer = undefined;
  }

  /** The statement that failed is the one that sets variables and role. */
  #refusedIdentity(failed: number, error: unknown): IdentityRefusedError | undefined {
    const { identity } = this.#options.settings;
    if (identity === undefined || this.pending.statements[failed] !== identity.statement) return undefined;
    if (!refusals.test(sqlStateOf(error) ?? '')) return undefined;
    return new IdentityRefusedError({ variables: Object.keys(identity.variables), role: identity.role }, error);
  }

  /** Gives the mark that is to be sent last; one that has a key waits with BEGIN instead. */
  #mark(statement: Statement | undefined): Statement | undefined {
    if (!this.#isToBeMarked) return undefined;
    const { proof } = this.#options;
    if (proof.name !== 'token') return proof.mark()?.statement;
    if (statement !== undefined && this.#staysFirst(statement)) return undefined;
    const { statement: mark, key } = proof.mark() ?? {};
    if (mark !== undefined && key !== undefined) this.pending.addMark(mark, key);
    return undefined;
  }

  get #isToBeMarked(): boolean {
    const { settings, outcome } = this.#options;
    return (
      !settings.readOnly &&
      outcome.now.commitKey === undefined &&
      !this.#isMadeReadOnly &&
      this.pending.commitKey === undefined
    );
  }

  #staysFirst({ sql }: Statement): boolean {
    this.#isMadeReadOnly ||= makesReadOnly(sql);
    return mustComeFirst(sql);
  }
}

/** An unknown role or value, a right that is missing; not a server that is away. */
const refusals = /^(?:22|42)/;

const commit: Statement = { sql: 'commit', recurs: true };

/** PostgreSQL refuses several commands in one text where it prepares a statement, and gives that no SQLSTATE of its own. */
function clearly(error: unknown): unknown {
  const isSeveral = sqlStateOf(error) === '42601' && Reflect.get(Object(error), 'routine') === 'exec_parse_message';
  return isSeveral ? new SeveralStatementsError(error) : error;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
