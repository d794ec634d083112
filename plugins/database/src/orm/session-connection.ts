import { isRaw, raw } from '@mikro-orm/core';
import { type AbstractSqlConnection, NativeQueryBuilder } from '@mikro-orm/sql';
import type { StatementResult } from '../driver/driver.js';
import type { LazyTransaction } from '../transaction/lazy-transaction.js';
import { boundStatement, type Platform } from './bound-statement.js';
import { Mark } from './marks.js';
import type { OrmSettings } from './orm-settings.js';
import { toQueryResult } from './query-result.js';
import { SessionContext } from './session-context.js';
import { openingTransaction } from './session-driver.js';
import { textRecorderOf } from './text-recorder.js';

type OnQuery = NonNullable<OrmSettings['onQuery']>;
type Execute = AbstractSqlConnection['execute'];
type Query = Parameters<Execute>[0];
type Values = Parameters<Execute>[1];
type Method = Parameters<Execute>[2];

/** The transaction behind what MikroORM knows as the context of one: that of a savepoint, or begun while it is observed. */
const transactions = new Mark<LazyTransaction>('keelson.transaction');

/** From now on statements in `context` go to `transaction`. */
function bindContext(context: object, transaction: LazyTransaction): void {
  transactions.set(context, transaction);
}

/** Undefined for statements outside of a session. */
export function transactionOf(context: object | undefined): LazyTransaction | undefined {
  if (context === undefined) return undefined;
  return context instanceof SessionContext ? context.transaction : transactions.get(context);
}

/**
 * Sends the statements of MikroORM to the transaction of their session with their values as parameters. MikroORM itself
 * writes values into the text, so that every statement is a new one to the server. Streams, queries of Kysely, statements
 * with a signal of their own, and all that runs outside of a session take MikroORM's own way, which calls `onQuery` too.
 */
export function bindParameters(connection: AbstractSqlConnection, platform: Platform, onQuery?: OnQuery): void {
  const begin: typeof connection.begin = connection.begin.bind(connection);
  const execute: Execute = connection.execute.bind(connection);

  const own = {
    async begin(...[options]: Parameters<typeof begin>) {
      const transaction = options?.ctx === undefined ? openingTransaction() : transactionOf(options.ctx);
      const context = await begin(options);
      if (transaction !== undefined) bindContext(context, transaction);
      return context;
    },
    async execute(...[query, values, method, context, logging]: Parameters<Execute>) {
      const transaction = transactionOf(context);
      if (transaction === undefined || isAbortable(logging)) return execute(query, values, method, context, logging);
      const { sql: built, params } = plain(query, values);
      const sql = onQuery === undefined ? built : onQuery(built, params);
      textRecorderOf(logging)?.sent(sql, params);
      return shaped(await transaction.run(boundStatement(platform, sql, params)), method);
    },
  };
  Object.assign(connection, own);
}

/** As MikroORM reads it: named parameters are those of a fragment. */
function plain(query: Query, values: Values = []): { readonly sql: string; readonly params: readonly unknown[] } {
  if (query instanceof NativeQueryBuilder) return query.toRaw();
  if (isRaw(query)) return query;
  return Array.isArray(values) ? { sql: query, params: values } : raw(query, values);
}

function isAbortable(logging: object | undefined): boolean {
  return logging !== undefined && ('signal' in logging || 'inflightQueryAbortStrategy' in logging);
}

/** A result as MikroORM asks for it: all rows, the first, or what has changed. */
function shaped(result: StatementResult, method: Method = 'all'): unknown {
  const { rows } = result;
  if (method === 'all') return rows;
  if (method === 'get') return rows[0];
  const { numAffectedRows = rows.length } = toQueryResult(result);
  return { affectedRows: Number(numAffectedRows), insertId: undefined, row: rows[0], rows };
}
