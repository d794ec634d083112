import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, Deadline } from '@keelson/core';
import type { CompiledQuery, QueryResult } from 'kysely';
import { OutsideSessionError, SecondConnectionError, SessionClosedError } from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import type { CurrentSession } from '../session/current-session.js';
import type { DatabaseDriver, DriverConnection } from './driver.js';
import { toQueryResult } from './query-result.js';
import type { DirectConnection, DirectConnections } from './session-driver.js';

const allowed = new AsyncLocalStorage<{ statementTimeoutMs: number }>();

/** Lets MikroORM's own tools (migrations, schema comparison) run statements outside of a session, inside `work`. */
export function withDirectConnections<T>(options: { statementTimeoutMs: number }, work: () => Promise<T>): Promise<T> {
  return allowed.run(options, work);
}

/** Refuses everyone else, and says where they went wrong. */
export class GuardedDirectConnections implements DirectConnections {
  readonly #driver: DatabaseDriver;
  readonly #clock: Clock;
  readonly #current: CurrentSession;

  constructor(driver: DatabaseDriver, clock: Clock, current: CurrentSession) {
    this.#driver = driver;
    this.#clock = clock;
    this.#current = current;
  }

  async acquire(): Promise<DirectConnection> {
    const options = allowed.getStore();
    if (options === undefined) throw this.#refusal();
    const deadline = Deadline.after(options.statementTimeoutMs, this.#clock);
    const connection = await this.#driver.acquire({ deadline, readOnly: false });
    return new PlainConnection(connection, options.statementTimeoutMs);
  }

  #refusal(): Error {
    const session = this.#current.get();
    if (session === undefined) return new OutsideSessionError();
    return session.state === 'open' ? new SecondConnectionError() : new SessionClosedError();
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
