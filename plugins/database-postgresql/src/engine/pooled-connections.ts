import type { Statement } from '@keelson/database';
import type { Endpoint } from '../endpoint.js';
import { namePrefix } from '../prepared-statements.js';

/**
 * Whether a statement has another name on the server than it was given: a pooler in between prepares it on whichever
 * connection of the server it is used. Where it has its own, it is gone with the next transaction.
 */
export async function keepsPrepared(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
  const connection = await endpoint.acquireToLook(signal);
  const giveUp = () => connection.destroy(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    // The second time it is prepared, and finds itself.
    const { results } = await connection.run([begin, ownName, ownName]);
    const name = results[2]?.rows[0]?.name;
    const isOwn = typeof name !== 'string' || name.startsWith(namePrefix);
    if (typeof name === 'string' && isOwn) await connection.run([{ sql: `deallocate ${name}` }]);
    await connection.run([{ sql: 'rollback' }]);
    return !isOwn;
  } finally {
    signal.removeEventListener('abort', giveUp);
    connection.release();
  }
}

/** Whether two clients were served by one process: something in between lends the server's connections by transaction. */
export async function isShared(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
  const pidNow = async () => (await endpoint.ask([askPid], signal))[0]?.rows[0]?.pid;
  const before = await pidNow();
  const other = await endpoint.acquireToLook(signal);
  try {
    const { results, failure } = await other.run([{ sql: 'begin' }, askPid]);
    if (failure !== undefined) throw failure.error;
    const beside = results[1]?.rows[0]?.pid;
    return beside === before || (await pidNow()) !== before;
  } finally {
    await other.run([{ sql: 'rollback' }]);
    other.release();
  }
}

const begin: Statement = { sql: 'begin', recurs: true };
const ownName: Statement = {
  sql: `select name from pg_prepared_statements where statement like '%keelson asks for its name%'`,
  recurs: true,
};
const askPid: Statement = { sql: 'select pg_backend_pid() as pid' };
