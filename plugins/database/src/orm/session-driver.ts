import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import { TransactionConnection } from './transaction-connection.js';

/** Lends a connection for a statement outside of any session; refuses where that would be a mistake. */
export interface DirectConnections {
  acquire(): Promise<DirectConnection>;
}

export interface DirectConnection extends DatabaseConnection {
  release(): void;
}

const opening = new AsyncLocalStorage<{ transaction: LazyTransaction | undefined }>();

/** While `begin` runs, the transaction that Kysely opens is `transaction`. */
export function withOpening<T>(transaction: LazyTransaction, begin: () => Promise<T>): Promise<T> {
  return opening.run({ transaction }, begin);
}

/** The transaction that is being opened by the running code. */
export function openingTransaction(): LazyTransaction | undefined {
  return opening.getStore()?.transaction;
}

/**
 * The seam between MikroORM and our connections: a Kysely dialect for PostgreSQL whose driver hands out
 * lazy transactions. Everything else of the dialect is Kysely's own.
 */
export function createDialect(direct: DirectConnections): Dialect {
  return {
    createDriver: () => new SessionDriver(direct),
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: database => new PostgresIntrospector(database),
  };
}

class SessionDriver implements Driver {
  readonly #direct: DirectConnections;

  constructor(direct: DirectConnections) {
    this.#direct = direct;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const asked = opening.getStore();
    if (asked?.transaction === undefined) return this.#direct.acquire();
    const { transaction } = asked;
    asked.transaction = undefined;
    return new TransactionConnection(transaction);
  }

  /** The transaction sends BEGIN itself; a direct connection sends it at once. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    if (!(connection instanceof TransactionConnection)) await connection.executeQuery(raw('begin'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    if (connection instanceof TransactionConnection) await connection.transaction.commitForOrm();
    else await connection.executeQuery(raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (connection instanceof TransactionConnection) await connection.transaction.rollbackForOrm();
    else await connection.executeQuery(raw('rollback'));
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    if (connection instanceof TransactionConnection) await connection.transaction.savepoint(name);
    else await connection.executeQuery(raw(`savepoint ${quoted(name)}`));
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    if (connection instanceof TransactionConnection) await connection.transaction.undoSavepoint(name);
    else await connection.executeQuery(raw(`rollback to savepoint ${quoted(name)}`));
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    if (connection instanceof TransactionConnection) await connection.transaction.releaseSavepoint(name);
    else await connection.executeQuery(raw(`release savepoint ${quoted(name)}`));
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    if (isDirect(connection)) connection.release();
  }

  async destroy(): Promise<void> {}
}

function isDirect(connection: DatabaseConnection): connection is DirectConnection {
  return 'release' in connection;
}

function raw(sql: string): CompiledQuery {
  return {
    sql,
    parameters: [],
    query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
    queryId: { queryId: '' },
  };
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
