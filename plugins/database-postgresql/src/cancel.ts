import pg from 'pg';
import { isSocket, socketPath } from './host.js';
import { asPgClient, type PgClient, speakPlainly } from './pg-internals.js';

/**
 * Asks the server to end what `busy` runs: a cancel request on a socket of its own (PostgreSQL manual, 54.2.8). The
 * request is not answered, so nothing is known but that it was sent. Closes that socket when `signal` aborts: a server
 * that stands still would keep it open. Never rejects.
 */
export function cancelStatement(config: pg.ClientConfig, busy: PgClient, signal: AbortSignal): Promise<void> {
  const asking = asPgClient(new pg.Client(config));
  const { connection } = asking;
  const { host, port, processID, secretKey } = busy;
  if (isSocket(host)) speakPlainly(asking);
  const giveUp = () => connection.stream.destroy();
  return new Promise<void>(resolve => {
    signal.addEventListener('abort', giveUp, { once: true });
    connection.on('error', () => resolve());
    connection.on('end', () => resolve());
    connection.on(connection.ssl ? 'sslconnect' : 'connect', () => connection.cancel(processID, secretKey));
    if (connection.ssl) connection.on('connect', () => connection.requestSsl());
    if (isSocket(host)) connection.connect(socketPath({ host, port }));
    else connection.connect(port, host);
    if (signal.aborted) giveUp();
  }).finally(() => signal.removeEventListener('abort', giveUp));
}
