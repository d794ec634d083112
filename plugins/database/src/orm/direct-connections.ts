import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, Deadline } from '@keelson/core';
import type { CompiledQuery, QueryResult } from 'kysely';
import type { DatabaseDriver, DriverConnection } from '../driver/driver.js';
import { OutsideSessionError, SecondConnectionError, SessionClosedError } from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import { toQueryResult } from './query-result.js';
import type { DirectConnection, DirectConnections } from './session-driver.js';

const allowed = new AsyncLocalStorage<{ statementTimeoutMs: number }>();

/** Lets MikroORM's own tools (migrations, schema comparison) run statements outside of a session, inside `work`. */
export function withDirectConnections<T>(options: { statementTimeoutMs: number }, work: () => Promise<T>): Promise<T> {
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
    const deadline = Deadline.after(options.statementTimeoutMs, this.#clock);
    const connection = await this.#driver.acquire({ deadline, readOnly: false });
    return new PlainConnection(connection, options.statementTimeoutMs);
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

  constructor(connection: DriverConnection, statementTimeoutMs: number) {
    this.#connection = connection;
    this.#statementTimeoutMs = statementTimeoutMs;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const statements = [{ sql: query.sql, parameters: query.parameters }];
    if (query.sql === 'begin') statements.push({ sql: this.#localTimeout(), parameters: [] });
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
    this.#connection.release();
  }

  #localTimeout(): string {
    return `set local statement_timeout = ${Math.ceil(this.#statementTimeoutMs)}`;
  }
}

const transactionControl = new Set(['begin', 'commit', 'rollback']);
