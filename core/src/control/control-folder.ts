import { lstatSync, mkdirSync, readdirSync, type Stats } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeelsonError } from '../contract/keelson-error.js';
import { summarizeError } from '../secrets/summarize-error.js';

/** What `sun_path` of unix(7) takes without its final zero: 108 bytes on Linux, 104 elsewhere. */
const longestPathBytes = process.platform === 'linux' ? 107 : 103;
/** Windows has no socket files here: its pipes have a name space of their own, and access rights of the user. */
const isWindows = process.platform === 'win32';
const pipes = '\\\\.\\pipe\\';
const pipePrefix = 'keelson-';
/** A process that accepts connections does so at once; one that is busy has them queued by the system. */
const connectTimeoutMs = 1_000;

/** The folder of the sockets of all services of one user. Other users cannot enter it, so they cannot connect. */
export class ControlFolder {
  readonly path: string;

  /** `directory` is where it is made. Default: the temporary folder of the system. */
  constructor(directory: string = tmpdir()) {
    this.path = isWindows ? pipes : join(directory, `keelson-${process.getuid?.() ?? 'user'}`);
  }

  /**
   * Makes it when it is not there.
   *
   * @throws KeelsonError CONTROL_FOLDER_UNSAFE when it is there and others may enter it, or it is not the user's own;
   * CONTROL_UNAVAILABLE when it cannot be made.
   */
  make(): void {
    if (isWindows) return;
    try {
      mkdirSync(this.path, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unavailable(this.path, error);
    }
    this.#check(lstatSync(this.path));
  }

  /**
   * The names in it; none when it is not there.
   *
   * @throws KeelsonError CONTROL_FOLDER_UNSAFE as `make` does: what is in there might be a trap.
   */
  names(): string[] {
    if (isWindows) {
      return readdirSync(pipes)
        .filter(name => name.startsWith(pipePrefix))
        .map(name => name.slice(pipePrefix.length));
    }
    const stats = lstatSync(this.path, { throwIfNoEntry: false });
    if (stats === undefined) return [];
    this.#check(stats);
    return readdirSync(this.path);
  }

  /** @throws KeelsonError CONTROL_PATH_TOO_LONG when no socket can have that name here. */
  socket(name: string): string {
    if (isWindows) return `${pipes}${pipePrefix}${name}`;
    const path = join(this.path, name);
    if (Buffer.byteLength(path) > longestPathBytes) throw tooLong(path);
    return path;
  }

  #check(stats: Stats): void {
    const why = !stats.isDirectory()
      ? 'it is not a folder'
      : stats.uid !== process.getuid?.()
        ? 'it belongs to another user'
        : (stats.mode & 0o077) !== 0
          ? 'other users may enter it'
          : undefined;
    if (why === undefined) return;
    throw new KeelsonError({
      code: 'CONTROL_FOLDER_UNSAFE',
      message: `The folder ${this.path} is not safe for the sockets of services: ${why}.`,
      hint: 'Remove it, or set control.directory to a folder that only this user can write to.',
      facts: { folder: this.path },
    });
  }
}

/** Returns whether a process listens there. The socket file of a process that has ended may remain without a listener. */
export function isListening(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    const end = (listens: boolean) => {
      socket.destroy();
      resolve(listens);
    };
    socket.setTimeout(connectTimeoutMs, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', (error: NodeJS.ErrnoException) => end(!['ECONNREFUSED', 'ENOENT'].includes(error.code ?? '')));
  });
}

export function unavailable(path: string, cause: unknown): KeelsonError {
  return new KeelsonError({
    code: 'CONTROL_UNAVAILABLE',
    message: `keelson status, reload and do will not reach this service: ${summarizeError(cause).message}.`,
    hint: 'Set control.directory to a folder that this user can write to, or control.enabled to false.',
    facts: { path },
    cause,
  });
}

function tooLong(path: string): KeelsonError {
  return new KeelsonError({
    code: 'CONTROL_PATH_TOO_LONG',
    message: `The path of a socket may have at most ${longestPathBytes} bytes, but ${path} has ${Buffer.byteLength(path)}.`,
    hint: 'Set control.directory (or TMPDIR) to a folder with a shorter path.',
    facts: { path, longestPathBytes },
  });
}
