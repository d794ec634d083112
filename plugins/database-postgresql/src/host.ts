/** Where a server is. */
export interface Host {
  /** A name, an address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
}

/** As to libpq, a host that begins with a slash is the directory of a unix socket. */
export function isSocket(host: string): boolean {
  return host.startsWith('/');
}

/** The file of the socket: PostgreSQL and PgBouncer name it after the port. */
export function socketPath({ host, port }: Host): string {
  return `${host.replace(/\/+$/, '')}/.s.PGSQL.${port}`;
}

/** `db:5432`, `[::1]:5432`, `unix:/run/postgresql:5432`: for people. */
export function nameOf({ host, port }: Host): string {
  if (isSocket(host)) return `unix:${host}:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
