import type { ConnectFailureKind, Kind } from './failure-kind.js';
import { socketKindOf } from './socket-failure.js';
import { severityOf, sqlStateOf, systemCodeOf } from './sql-state.js';

export interface ConnectFailure {
  readonly kind: ConnectFailureKind;
  /** `57P03`, `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
  readonly code: string;
  /** After the name of the database: `refused the password`. */
  readonly says: string;
  readonly hint: string;
  /** No further attempt mends it: a person has to. */
  readonly final: boolean;
}

const unknownAuthority: Kind = {
  kind: 'tls-unknown-authority',
  says: 'shows a certificate of an authority that is not trusted',
  hint: 'Name the certificate of that authority in sslrootcert.',
  final: true,
};
const expired: Kind = {
  kind: 'tls-expired',
  says: 'shows a certificate that is not valid at this time',
  hint: 'Renew the certificate of the server, and check the clocks of both machines.',
  final: true,
};
const clientCertificate: Kind = {
  kind: 'tls-client-certificate',
  says: 'requires a client certificate that it trusts',
  hint: 'Name a certificate in sslcert and its key in sslkey; the server must trust the authority of the certificate.',
  final: true,
};
const unreachable: Kind = {
  kind: 'unreachable',
  says: 'cannot be reached over the network',
  hint: 'Check routes and firewalls between the service and the database server.',
};
const hostUnknown: Kind = {
  kind: 'host-unknown',
  says: 'has a host name that cannot be resolved',
  hint: 'Check the host in the configured url, and the name server of this machine.',
};
const timeout: Kind = {
  kind: 'timeout',
  says: 'does not answer',
  hint: 'Check host and port in the configured url, and look for a cause of lost packets: a firewall, a frozen server.',
};

/** Codes of Node, of OpenSSL, and those given where pg has only a sentence. */
const byCode: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'TLS_NOT_SPOKEN',
    {
      kind: 'tls-not-spoken',
      says: 'does not support TLS',
      hint: 'Turn ssl on at the server, or remove sslmode from the configured url.',
      final: true,
    },
  ],
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    {
      kind: 'tls-self-signed',
      says: 'shows a self-signed certificate',
      hint: 'Name that certificate in sslrootcert, or give the server a certificate of an authority.',
      final: true,
    },
  ],
  ['SELF_SIGNED_CERT_IN_CHAIN', unknownAuthority],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', unknownAuthority],
  ['CERT_HAS_EXPIRED', expired],
  ['CERT_NOT_YET_VALID', expired],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    {
      kind: 'tls-host-name',
      says: 'shows a certificate for another host name',
      hint: 'Connect by the name that the certificate has, or give the server a certificate for this name.',
      final: true,
    },
  ],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', clientCertificate],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', clientCertificate],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', clientCertificate],
  ['ENOTFOUND', hostUnknown],
  ['EAI_AGAIN', hostUnknown],
  [
    'ECONNREFUSED',
    {
      kind: 'refused',
      says: 'refuses connections: nothing listens there',
      hint: 'Check that the server runs and that host and port in the configured url are right.',
    },
  ],
  ['EHOSTUNREACH', unreachable],
  ['ENETUNREACH', unreachable],
  ['EHOSTDOWN', unreachable],
  ['ENETDOWN', unreachable],
  ['ETIMEDOUT', timeout],
  [
    'PASSWORD_MISSING',
    {
      kind: 'password-missing',
      says: 'asks for a password, and there is none',
      hint: 'Put one into the configured url, or into PGPASSWORD.',
      final: true,
    },
  ],
]);

const tlsFailed: Kind = {
  kind: 'tls-failed',
  says: 'could not agree on TLS with the service',
  hint: 'Check that host and port belong to a PostgreSQL server, and check which TLS versions the server supports.',
  final: true,
};

/** What a server says when it turns a connection away. */
const byState: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    '28P01',
    {
      kind: 'password',
      says: 'refused the password',
      hint: 'Check user and password in the configured url, special characters as %XX; after a rotation, put the new one into the configuration or its file.',
      final: true,
    },
  ],
  [
    '3D000',
    {
      kind: 'database-missing',
      says: 'does not exist on the server',
      hint: 'Create it, or check the name at the end of the configured url.',
      final: true,
    },
  ],
  [
    '42501',
    {
      kind: 'privilege',
      says: 'says that this user may not connect',
      hint: 'Grant CONNECT on the database to the user.',
      final: true,
    },
  ],
  [
    '53300',
    {
      kind: 'full',
      says: 'has no connection left',
      hint: 'Lower pool.max of the services that share the server, or raise its max_connections.',
    },
  ],
  ['57P01', stopping()],
  [
    '08001',
    {
      kind: 'behind-pooler',
      says: 'cannot be reached by the pooler in between',
      hint: 'Check the log of the pooler: its server is down or full, or the database is paused or disabled there.',
    },
  ],
]);

function stopping(): Kind {
  return { kind: 'stopping', says: 'is shutting down', hint: 'Wait for it to come back, or find out who stops it.' };
}

const starting: Kind = {
  kind: 'starting',
  says: 'is starting or recovering',
  hint: 'Wait: the service keeps trying until connect.timeoutMs is over. The log of the server shows its progress.',
};

/** Returns the failure to connect behind the driver's `error`; undefined for any other error. */
export function connectFailureOf(error: unknown): ConnectFailure | undefined {
  const state = sqlStateOf(error);
  if (state !== undefined)
    return isEnd(error) ? failure(state, inWordsOfPooler(error, kindOfEnd(state, error))) : undefined;
  const code = codeOf(error);
  if (code === undefined) return undefined;
  const known =
    socketKindOf(code, error) ?? byCode.get(code) ?? (/^(?:ERR_SSL_|EPROTO$|TLS_)/.test(code) ? tlsFailed : undefined);
  return known && failure(code, known);
}

function isEnd(error: unknown): boolean {
  const severity = severityOf(error);
  return severity === undefined || severity === 'FATAL' || severity === 'PANIC';
}

function kindOfEnd(state: string, error: unknown): Kind | undefined {
  const words = wordsOf(error) ?? '';
  if (state === '28000') return refusalOfUser(error, words);
  if (state === '57P03') return words.includes('shutting down') ? stopping() : starting;
  if (state === '08P01' && words.startsWith('unsupported startup parameter')) return startupParameter(words);
  return byState.get(state);
}

/** The name of the function that refused is the same in every language. */
function refusalOfUser(error: unknown, words: string): Kind {
  if (text(error, 'routine') === 'InitializeSessionUserId' || /^no such user|^role /.test(words)) {
    const says = 'has no user of this name that may log in';
    return { kind: 'role-missing', says, hint: 'Create the role with LOGIN, or check the user.', final: true };
  }
  if (/certificate/.test(words)) return clientCertificate;
  const hint = 'Add a line for this user, database, address and kind of connection to pg_hba.conf on the server.';
  return { kind: 'hba', says: 'refused the user by its pg_hba.conf', hint, final: true };
}

function startupParameter(words: string): Kind {
  return {
    kind: 'startup-parameter',
    says: `says "${words}"`,
    hint: 'Name the parameter in ignore_startup_parameters of the pooler in between.',
    final: true,
  };
}

/** What a pooler says is found in its log and its configuration, in its own words. */
const poolerHints: ReadonlyMap<ConnectFailureKind, string> = new Map<ConnectFailureKind, string>([
  ['password', 'Check user and password in the configured url, and auth_file or auth_query of the pooler.'],
  ['role-missing', 'Add the user to auth_file of the pooler, or check the user in the configured url.'],
  ['hba', 'Check auth_hba_file and the TLS settings of the pooler.'],
  ['database-missing', 'Check the name at the end of the configured url, and [databases] of the pooler.'],
  ['full', 'Raise max_client_conn of the pooler, or max_connections of the server; or lower pool.max.'],
]);

/** A driver marks what comes from a pooler. */
function inWordsOfPooler(error: unknown, kind: Kind | undefined): Kind | undefined {
  if (kind === undefined || text(error, 'saidBy') !== 'pooler') return kind;
  const says = `is behind a pooler that says "${wordsOf(error)}"`;
  return { ...kind, says, hint: poolerHints.get(kind.kind) ?? kind.hint };
}

/** What a server that is no longer to be asked said, in its own words; never SQL, because it is about the connection. */
export function refusalInItsWords(error: unknown): ConnectFailure | undefined {
  const words = severityOf(error) === 'FATAL' ? wordsOf(error) : undefined;
  if (words === undefined) return undefined;
  const hint = 'Check the log of the database server, or of the pooler.';
  return failure(sqlStateOf(error) ?? 'no code', { kind: 'server-words', says: `says "${words}"`, hint });
}

const longestWords = 200;

function wordsOf(error: unknown): string | undefined {
  return text(error, 'message')?.slice(0, longestWords);
}

function codeOf(error: unknown): string | undefined {
  return text(error, 'code') ?? systemCodeOf(error);
}

function text(error: unknown, name: string): string | undefined {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function failure(code: string, kind: Kind | undefined): ConnectFailure | undefined {
  return kind && { code, kind: kind.kind, says: kind.says, hint: kind.hint, final: kind.final ?? false };
}
