/** Why no connection came about: one row of the table in docs/database.md each. */
export type ConnectFailureKind =
  | 'tls-not-spoken'
  | 'tls-self-signed'
  | 'tls-unknown-authority'
  | 'tls-expired'
  | 'tls-host-name'
  | 'tls-client-certificate'
  | 'tls-failed'
  | 'host-unknown'
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'password'
  | 'password-missing'
  | 'credentials'
  | 'role-missing'
  | 'hba'
  | 'database-missing'
  | 'privilege'
  | 'full'
  | 'starting'
  | 'stopping'
  | 'socket-missing'
  | 'socket-stale'
  | 'socket-permission'
  | 'socket-path'
  | 'socket-unsupported'
  | 'startup-parameter'
  | 'behind-pooler'
  | 'server-words';

/** What is said of every failure of a kind. */
export interface Kind {
  readonly kind: ConnectFailureKind;
  readonly says: string;
  readonly hint: string;
  readonly final?: true;
}
