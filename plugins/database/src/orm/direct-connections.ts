import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, Deadline } from '@keelson/core';
import type { CompiledQuery, QueryResult } from 'kysely';
import type { DatabaseDriver, DriverConnection, Statement } from '../driver/driver.js';
import { OutsideSessionError, SecondConnectionError, SessionClosedError } from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import { beginStatements } from '../transaction/transaction-settings.js';
import { toQueryResult } from './query-result.js';
import type { DirectConnection, DirectConnections } from './session-driver.js';

export interface DirectOptions {
  readonly statementTimeoutMs: number;
  /** How long a connection is going to be kept. */
  readonly lentForMs?: number;
  /** All of it runs on this connection, which stays lent. Default: each statement or transaction on one of its own. */
  readonly on?: DriverConnection;
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
    const { statementTimeoutMs, lentForMs, on } = options;
    if (on !== undefined) return new PlainConnection(on, statementTimeoutMs, false);
    const deadline = Deadline.after(statementTimeoutMs, this.#clock);
    const lending = { deadline, readOnly: false, ...(lentForMs !== undefined && { lentForMs }) };
    return new PlainConnection(await this.#driver.acquire(lending), statementTimeoutMs, true);
  }

  #refusal(): Error {
    const state = this.#stateOfSession();
    if (state === undefined) return new OutsideSessionError();
    return state === 'open' ? new SecondConnectionError() : new SessionClosedError();
  }
}

class PlainConnection implements DirectConnection {
  readonly #connection: DriverConnection;
  readonly #statementTimeoutMs: number;
  readonly #isOwn: boolean;

  constructor(connection: DriverConnection, statementTimeoutMs: number, isOwn: boolean) {
    this.#connection = connection;
    this.#statementTimeoutMs = statementTimeoutMs;
    this.#isOwn = isOwn;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const statements = query.sql === 'begin' ? this.#begin() : [{ sql: query.sql, parameters: query.parameters }];
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
    if (this.#isOwn) this.#connection.release();
  }

  /** Each statement sees what was committed before it, and a pause is no mistake: these are long pieces of work. */
  #begin(): readonly Statement[] {
    const statementTimeoutMs = this.#statementTimeoutMs;
    const settings = { readOnly: false, isolation: 'read committed', statementTimeoutMs, idleTimeoutMs: 0 } as const;
    return beginStatements(settings).map(sql => ({ sql }));
  }
}

const transactionControl = new Set(['begin', 'commit', 'rollback']);
