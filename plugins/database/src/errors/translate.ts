import { type Facts, isKeelsonError } from '@keelson/core';
import { connectFailureOf } from './connect-failure.js';
import { ConnectionLostError, ConnectRefusedError } from './connection-error.js';
import { originOf, withOriginOf } from './fault-origin.js';
import { QueryError } from './query-error.js';
import { isAnswer, isConnectionLoss, sqlStateOf } from './sql-state.js';

/** SQLSTATEs with which the server turns a connection away; what they say is not about a statement. */
const refusals = new Set(['53300', '57P01', '57P02', '57P03', '57P05', '25P03']);

/**
 * Returns the error of Keelson for an error of a driver, raw or wrapped by MikroORM. Returns any other error unchanged, even
 * when it looks like an error of a driver. `more` is added to the facts of the new error.
 */
export function translate(error: unknown, more: Facts = {}): unknown {
  if (isKeelsonError(error) || originOf(error) === undefined) return error;
  return withOriginOf(meaningOf(error, more), error);
}

function meaningOf(error: unknown, more: Facts): unknown {
  if (isAnswer(error)) return new QueryError(error, more);
  const failure = connectFailureOf(error);
  if (failure?.final === true) return new ConnectRefusedError(failure, error, more);
  const state = sqlStateOf(error);
  if (isConnectionLoss(error) || (state !== undefined && refusals.has(state)))
    return new ConnectionLostError(error, more);
  return state === undefined ? error : new QueryError(error, more);
}
