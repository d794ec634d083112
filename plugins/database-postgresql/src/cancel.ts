import pg from 'pg';
import { asPgClient, type PgClient } from './pg-internals.js';

/**
 * Asks the server to end what `busy` runs: a cancel request on a socket of its own (PostgreSQL manual, 54.2.8). The
 * request is not answered, so nothing is known but that it was sent. Closes that socket when `signal` aborts: a server
 * that stands still would keep it open. Never rejects.
 */
export function cancelStatement(config: pg.ClientConfig, busy: PgClient, signal: AbortSignal): Promise<void> {
  const { connection } = asPgClient(new pg.Client(config));
  const { host, port, processID, secretKey } = busy;
  const giveUp = () => connection.stream.destroy();
  return new Promise<void>(resolve => {
    signal.addEventListener('abort', giveUp, { once: true });
    connection.on('error', () => resolve());
    connection.on('end', () => resolve());
    connection.on(connection.ssl ? 'sslconnect' : 'connect', () => connection.cancel(processID, secretKey));
    if (connection.ssl) connection.on('connect', () => connection.requestSsl());
    connection.connect(port, host);
    if (signal.aborted) giveUp();
  }).finally(() => signal.removeEventListener('abort', giveUp));
}
