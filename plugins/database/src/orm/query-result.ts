import type { QueryResult } from 'kysely';
import type { StatementResult } from '../driver/driver.js';

const writes = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** A result as Kysely and MikroORM read it. */
export function toQueryResult<R>(result: StatementResult): QueryResult<R> {
  const rows = result.rows as R[];
  return writes.has(result.command) ? { rows, numAffectedRows: BigInt(result.rowCount ?? 0) } : { rows };
}
