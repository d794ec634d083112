import { type Host, socketPath } from './host.js';

/** What a socket address of the operating system holds, without the NUL at its end: `sun_path` of unix(7). */
const longestPathBytes = process.platform === 'linux' ? 107 : 103;

/**
 * @throws Error with a `code` for a socket that nothing can connect to: Node would cut a path that is too long, and take
 * one on Windows for the name of a pipe.
 */
export function checkSocket(host: Host, platform: NodeJS.Platform = process.platform): void {
  if (platform === 'win32') throw unusable('SOCKET_UNSUPPORTED');
  if (Buffer.byteLength(socketPath(host)) > longestPathBytes) throw unusable('SOCKET_PATH_TOO_LONG');
}

function unusable(code: string): Error {
  return Object.assign(new Error('the unix socket cannot be used'), { code });
}
