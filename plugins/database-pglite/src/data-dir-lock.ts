import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderInUse, folderUnwritable, PgliteError } from './errors.js';

const fileName = 'keelson.lock';

/** The process that uses a folder. The start distinguishes it from a later process with the same id. */
interface Owner {
  readonly pid: number;
  readonly start: string;
}

/**
 * The lock of one process on a data folder: PGlite itself would let two processes corrupt the same files.
 * It is a file that names the process. A new process takes over the lock of a process that has ended.
 */
export class DataDirLock implements Disposable {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /**
   * The folder must exist.
   *
   * @throws PgliteError PGLITE_FOLDER_IN_USE by another process; PGLITE_FOLDER_UNUSABLE when it cannot be written to.
   */
  static take(dataDir: string): DataDirLock {
    const path = join(dataDir, fileName);
    try {
      return new DataDirLock(path, takeOver(path, dataDir));
    } catch (error) {
      throw error instanceof PgliteError ? error : folderUnwritable(dataDir, error);
    }
  }

  /** Releases the lock. Does nothing when another process has it by now. */
  [Symbol.dispose](): void {
    if (read(this.#path) === this.#text) rmSync(this.#path, { force: true });
  }
}

let taken = 0;

function takeOver(path: string, dataDir: string): string {
  const text = JSON.stringify({ pid: process.pid, start: startOf(process.pid) ?? '', turn: ++taken });
  const own = `${path}.${process.pid}.${taken}`;
  // Linked in place when it is complete: no process may read a lock without an owner.
  writeFileSync(own, text);
  try {
    while (!linked(own, path)) {
      const found = readUnlessGone(path);
      if (found === undefined) continue;
      const owner = ownerIn(found);
      if (owner !== undefined && isAlive(owner)) throw folderInUse(dataDir, owner.pid);
      remove(path, found);
    }
    return text;
  } finally {
    rmSync(own, { force: true });
  }
}

function linked(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Of several processes that find the same stale lock, one moves it away; a process that moved a newer lock by mistake restores it. */
function remove(path: string, stale: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (read(aside) !== stale) linked(aside, path);
  rmSync(aside, { force: true });
}

/** A lock that exists and cannot be read would fail every retry. */
function readUnlessGone(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function ownerIn(text: string): Owner | undefined {
  try {
    const owner: Partial<Owner> = JSON.parse(text);
    return typeof owner.pid === 'number' && typeof owner.start === 'string'
      ? { pid: owner.pid, start: owner.start }
      : undefined;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, start }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
  const now = startOf(pid);
  return start === '' || now === undefined || now === start;
}

/** Boot and clock tick at which a process started, where /proc has it (proc(5), field 22 of stat). */
function startOf(pid: number): string | undefined {
  const boot = read('/proc/sys/kernel/random/boot_id')?.trim();
  const ticks = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')[19];
  return boot === undefined || ticks === undefined ? undefined : `${boot}/${ticks}`;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
