import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, Deadline } from '@keelson/core';
import type { CompiledQuery, QueryResult } from 'kysely';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver, DriverConnection, Statement } from '../driver/driver.js';
import {
  LastingStateError,
  OutsideSessionError,
  SecondConnectionError,
  SessionClosedError,
} from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import { lastingStateIn } from '../transaction/no-lasting-state.js';
import { longBeginStatements } from '../transaction/transaction-settings.js';
import { toQueryResult } from './query-result.js';
import type { DirectConnection, DirectConnections } from './session-driver.js';

export interface DirectOptions {
  /** How long a statement may take, and how long a connection is lent. */
  readonly timeoutMs: number;
  /** All of it runs on this connection, which stays lent. Default: each statement or transaction on one of its own. */
  readonly on?: DriverConnection;
  /** Called with each statement before it is sent, unless that is refused. */
  readonly onStatement?: (sql: string) => void;
}

const allowed = new AsyncLocalStorage<DirectOptions>();

/** Lets MikroORM's own tools (migrations, schema comparison) run statements outside of a session, inside `work`. */
export function withDirectConnections<T>(options: DirectOptions, work: () => Promise<T>): Promise<T> {
  return allowed.run(options, work);
}

/** The state of the session that the calling code runs in; undefined outside of one. */
type StateOfSession = () => string | undefined;

/** Refuses everyone else, and says where they went wrong. */
export class GuardedDirectConnections implements DirectConnections {
  readonly #driver: DatabaseDriver;
  readonly #clock: Clock;
  readonly #stateOfSession: StateOfSession;

  constructor(driver: DatabaseDriver, clock: Clock, stateOfSession: StateOfSession) {
    this.#driver = driver;
    this.#clock = clock;
    this.#stateOfSession = stateOfSession;
  }

  async acquire(): Promise<DirectConnection> {
    const options = allowed.getStore();
    if (options === undefined) throw this.#refusal();
    if (options.on !== undefined) return new PlainConnection(options.on, options, this.#driver);
    const deadline = Deadline.after(options.timeoutMs, this.#clock);
    const connection = await borrowWithin({ driver: this.#driver, clock: this.#clock }, { deadline });
    return new PlainConnection(connection, options, this.#driver);
  }

  #refusal(): Error {
    const state = this.#stateOfSession();
    if (state === undefined) return new OutsideSessionError();
    return state === 'open' ? new SecondConnectionError() : new SessionClosedError();
  }
}

class PlainConnection implements DirectConnection {
  readonly #connection: DriverConnection;
  readonly #options: DirectOptions;
  readonly #driver: DatabaseDriver;

  constructor(connection: DriverConnection, options: DirectOptions, driver: DatabaseDriver) {
    this.#connection = connection;
    this.#driver = driver;
    this.#options = options;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const statements = query.sql === 'begin' ? this.#begin() : [{ sql: query.sql, parameters: query.parameters }];
    const by = this.#driver.capabilities.has('session-state') ? undefined : lastingStateIn(query.sql);
    if (by !== undefined) throw new LastingStateError({ by });
    this.#options.onStatement?.(query.sql);
    const { results, failure } = await this.#connection.run(statements);
    if (failure === undefined) return toQueryResult<R>(results[0] ?? { rows: [], command: '', rowCount: undefined });
    // Kysely does not release a connection whose BEGIN, COMMIT or ROLLBACK failed.
    if (isConnectionLoss(failure.error) || transactionControl.has(query.sql)) this.#connection.destroy(failure.error);
    throw failure.error;
  }

  async *streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    const chunks = this.#connection.stream({ sql: query.sql, parameters: query.parameters }, chunkSize);
    for await (const rows of chunks) yield { rows: rows as R[] };
  }

  release(): void {
    if (this.#options.on === undefined) this.#connection.release();
  }

  #begin(): readonly Statement[] {
    const { timeoutMs } = this.#options;
    const limits = { statementTimeoutMs: timeoutMs, idleTimeoutMs: timeoutMs };
    return longBeginStatements(this.#driver, limits).map(sql => ({ sql }));
  }
}

const transactionControl = new Set(['begin', 'commit', 'rollback']);
