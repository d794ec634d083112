import type { Kind } from './failure-kind.js';

const permission: Kind = {
  kind: 'socket-permission',
  says: 'has a unix socket that this process may not use',
  hint: 'Give the user of the service access to the directory of the socket; see also unix_socket_permissions of the server.',
  final: true,
};

/** Codes of the operating system, where it was asked for a unix socket. */
const bySystemCode: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'ENOENT',
    {
      kind: 'socket-missing',
      says: 'has no unix socket at this place',
      hint: 'Check that the server runs, and that host and port in the configured url are its unix_socket_directories and port.',
    },
  ],
  [
    'ECONNREFUSED',
    {
      kind: 'socket-stale',
      says: 'has left a unix socket that nothing listens on',
      hint: 'Start the server: it replaces the file that a crash has left behind.',
    },
  ],
  ['EACCES', permission],
  ['EPERM', permission],
]);

/** Codes of a driver that has not asked the operating system. */
const byOwnCode: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'SOCKET_PATH_TOO_LONG',
    {
      kind: 'socket-path',
      says: 'has a unix socket whose path is too long for this operating system: 107 bytes on Linux, 103 elsewhere',
      hint: 'Give the server a shorter directory in unix_socket_directories, or name a symbolic link to it in the url.',
      final: true,
    },
  ],
  [
    'SOCKET_UNSUPPORTED',
    {
      kind: 'socket-unsupported',
      says: 'is configured with a unix socket, which Node does not support on Windows',
      hint: 'Name a host of the network in the configured url.',
      final: true,
    },
  ],
]);

/** What kept a connection over a unix socket from coming about; undefined for a failure of any other kind. */
export function socketKindOf(code: string, error: unknown): Kind | undefined {
  const address: unknown = Reflect.get(Object(error), 'address');
  const isOfSocket = typeof address === 'string' && address.startsWith('/');
  return byOwnCode.get(code) ?? (isOfSocket ? bySystemCode.get(code) : undefined);
}
