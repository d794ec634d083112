import type { Socket } from 'node:net';
import pg, { type Connection } from 'pg';
import { isSocket, socketPath } from './host.js';
import type { Login } from './login.js';

/**
 * The parts of pg 8.23 that its type definitions leave out: its conversion of parameters, and what
 * a client knows of its backend. Everything else uses pg as it is documented.
 */
interface PgInternals {
  readonly utils: { prepareValue(value: unknown): Buffer | string | null };
}

const { utils } = internalsOf(pg);

/** A JavaScript value as PostgreSQL reads it in text. */
export function parameterText(value: unknown): Buffer | string | null {
  return utils.prepareValue(value);
}

function internalsOf(found: object): PgInternals {
  if (!hasInternals(found)) throw unknownVersion();
  return found;
}

function hasInternals(found: object): found is PgInternals {
  return 'utils' in found && typeof found.utils === 'object' && found.utils !== null && 'prepareValue' in found.utils;
}

function unknownVersion(): Error {
  return new Error('bug: pg is not as @keelson/database-postgresql knows it (8.23)');
}

/** A socket to a server, from before the startup message on. */
export interface PgConnection extends Connection {
  ssl: unknown;
  readonly stream: Socket;
  /** With the path of a unix socket instead of a port, no host. */
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number | null, secretKey: Buffer | number | null): void;
}

/** A client with its socket, and the two numbers that name its backend to a cancel request. */
export interface PgClient extends pg.PoolClient {
  readonly connection: PgConnection;
  ssl: boolean;
  readonly host: string;
  readonly port: number;
  readonly processID: number | null;
  readonly secretKey: Buffer | number | null;
  /** What the startup message is made of. */
  readonly connectionParameters: Record<string, unknown>;
  user?: string;
  password?: string;
  getTransactionStatus(): 'I' | 'T' | 'E' | null;
}

/** Sends the goodbye of the protocol, and closes the socket without waiting for the server, which may be gone. */
export function leave(client: pg.Client): void {
  const { stream } = asPgClient(client).connection;
  stream.once('finish', () => stream.destroy());
  void client.end().catch(() => {});
}

/** Every client of pg is one; asserts it, so that an upgrade that changes it is found by the first test. */
export function asPgClient(client: pg.ClientBase): PgClient {
  if (!isPgClient(client)) throw unknownVersion();
  return client;
}

function isPgClient(client: pg.ClientBase): client is PgClient {
  return 'connection' in client && 'processID' in client && 'getTransactionStatus' in client;
}

/** Where a connection leads to; the same for two only when they were opened to the same address. */
export function addressOf({ connection, host, port }: PgClient): string {
  if (isSocket(host)) return socketPath({ host, port });
  const { remoteAddress = '', remotePort = '' } = connection.stream;
  return `${remoteAddress} ${remotePort}`;
}

/** Neither PostgreSQL nor libpq speaks TLS over a unix socket. */
export function speakPlainly(client: PgClient): void {
  client.ssl = false;
  client.connection.ssl = false;
}

/** To be called before `client` connects. What is left out stays as pg found it. */
export function logInAs(client: PgClient, { user, password }: Login): void {
  if (user !== undefined) {
    client.user = user;
    client.connectionParameters.user = user;
  }
  if (password !== undefined) client.password = password;
}
