import type { Clock, Deadline } from '@keelson/core';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver, DriverConnection, Statement } from '../driver/driver.js';
import { CommitTokenError } from '../errors/commit-token-error.js';
import { isMadeByAnother, sqlStateOf } from '../errors/sql-state.js';
import { judge } from '../retry/failure-verdict.js';
import { firstTokenAt, newToken } from './commit-token.js';
import type { TokenTable } from './token-table.js';

const pauseMs = 100;
/** Instances that start together hinder each other at most this often. */
const mostTries = 5;

/**
 * Does all that is done with tokens, takes it back, and makes the table when it is missing. So what a request would fail
 * by is seen before there is one, on every engine.
 *
 * @throws CommitTokenError when tokens cannot be used, with what its operator has to do.
 */
export async function makeUsable(
  parts: { readonly driver: DatabaseDriver; readonly clock: Clock; readonly table: TokenTable },
  deadline: Deadline,
  signal: AbortSignal,
): Promise<void> {
  const { clock, table } = parts;
  for (let tries = 1; ; tries += 1) {
    try {
      const connection = await borrowWithin(parts, { deadline });
      return await onConnection(connection, table).finally(() => connection.release());
    } catch (error) {
      signal.throwIfAborted();
      const isTransient = judge(error, 'acquire').retry || (isMadeByAnother(error) && tries < mostTries);
      if (!isTransient || deadline.passed) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}

async function onConnection(connection: DriverConnection, table: TokenTable): Promise<void> {
  const failure = await failureOf(connection, usesOf(table));
  if (failure === undefined) return;
  const state = sqlStateOf(failure);
  if (state === undefined || isMadeByAnother(failure)) throw failure;
  // What may be written can be tried once the server takes writes.
  if (state === readOnly && (await failureOf(connection, [table.readNothing])) === undefined) return;
  if (state !== noTable && state !== readOnly)
    throw unlessTransient(failure, new CommitTokenError(table, 'used', failure));
  await make(connection, table);
  const left = await failureOf(connection, usesOf(table));
  if (left !== undefined) throw unlessTransient(left, new CommitTokenError(table, 'used', left));
}

async function make(connection: DriverConnection, table: TokenTable): Promise<void> {
  let failure = await failureOf(connection, [{ sql: table.ddl }]);
  if (sqlStateOf(failure) === noSchema)
    failure = await failureOf(connection, [{ sql: table.schemaDdl }, { sql: table.ddl }]);
  if (failure === undefined) return;
  throw isMadeByAnother(failure) ? failure : unlessTransient(failure, new CommitTokenError(table, 'made', failure));
}

function usesOf(table: TokenTable): readonly Statement[] {
  const now = Date.now();
  return [
    { sql: 'begin' },
    table.insert(newToken(now)),
    table.look(newToken(now)),
    table.clean(firstTokenAt(0)),
    { sql: 'rollback' },
  ];
}

async function failureOf(connection: DriverConnection, statements: readonly Statement[]): Promise<unknown> {
  const { failure } = await connection.run(statements);
  if (failure === undefined) return undefined;
  if (connection.status !== 'idle' && connection.status !== 'lost') await connection.run([{ sql: 'rollback' }]);
  return failure.error;
}

function unlessTransient(failure: unknown, error: CommitTokenError): unknown {
  return judge(failure, 'acquire').retry ? failure : error;
}

const noTable = '42P01';
const noSchema = '3F000';
const readOnly = '25006';
