import type { Host } from './hosts.js';
import type { PgClient } from './pg-internals.js';

/** What a socket address of the operating system holds, without the NUL at its end: `sun_path` of unix(7). */
const longestPathBytes = process.platform === 'linux' ? 107 : 103;

/** As to libpq, a host that begins with a slash is the directory of a unix socket. */
export function isSocket(host: string): boolean {
  return host.startsWith('/');
}

/** The file of the socket: PostgreSQL and PgBouncer name it after the port. */
export function socketPath({ host, port }: Host): string {
  return `${host.replace(/\/+$/, '')}/.s.PGSQL.${port}`;
}

/**
 * @throws Error with a `code` for a socket that nothing can connect to: Node would cut a path that is too long, and take
 * one on Windows for the name of a pipe.
 */
export function checkSocket(host: Host, platform: NodeJS.Platform = process.platform): void {
  if (platform === 'win32') throw unusable('SOCKET_UNSUPPORTED');
  if (Buffer.byteLength(socketPath(host)) > longestPathBytes) throw unusable('SOCKET_PATH_TOO_LONG');
}

/** Neither PostgreSQL nor libpq speaks TLS over a unix socket. */
export function speakPlainly(client: PgClient): void {
  client.ssl = false;
  client.connection.ssl = false;
}

function unusable(code: string): Error {
  return Object.assign(new Error('the unix socket cannot be used'), { code });
}
