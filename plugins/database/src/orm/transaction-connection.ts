import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import { toQueryResult } from './query-result.js';

/** A lazy transaction as Kysely knows a connection, so that MikroORM runs its statements in it. */
export class TransactionConnection implements DatabaseConnection {
  readonly transaction: LazyTransaction;

  constructor(transaction: LazyTransaction) {
    this.transaction = transaction;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.transaction.run({ sql: query.sql, parameters: query.parameters });
    return toQueryResult<R>(result);
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.transaction.stream<R>({ sql: query.sql, parameters: query.parameters }, chunkSize);
  }
}
