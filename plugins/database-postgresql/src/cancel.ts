import pg from 'pg';
import { asPgClient, type PgClient } from './pg-internals.js';

/**
 * Asks the server to end what `busy` runs: a cancel request on a socket of its own (PostgreSQL manual, 54.2.8). The
 * request is not answered, so nothing is known but that it was sent. Never rejects.
 */
export function cancelStatement(config: pg.ClientConfig, busy: PgClient): Promise<void> {
  const { connection } = asPgClient(new pg.Client(config));
  const { host, port, processID, secretKey } = busy;
  return new Promise(resolve => {
    connection.on('error', () => resolve());
    connection.on('end', () => resolve());
    connection.on(connection.ssl ? 'sslconnect' : 'connect', () => connection.cancel(processID, secretKey));
    if (connection.ssl) connection.on('connect', () => connection.requestSsl());
    connection.connect(port, host);
  });
}
