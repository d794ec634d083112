import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresEnvironment, postgresIdentity } from './postgres-binaries.js';

/** Room for some tables, and soon full. */
const size = '8m';

let isPossible: Promise<boolean> | undefined;

/**
 * True where the user that runs PostgreSQL may mount a file system for himself: on Linux, unless namespaces of users are
 * turned off, as in many containers.
 */
export function canHaveSmallDisk(): Promise<boolean> {
  isPossible ??= process.platform === 'linux' ? tryToMount() : Promise.resolve(false);
  return isPossible;
}

/**
 * A command like the given one, which runs in the same process, with a file system of a few megabytes at `directory`.
 * It is new each time, no other process sees it, and it goes with the last process that does.
 */
export function withSmallDisk(
  directory: string,
  command: string,
  args: readonly string[],
): readonly [string, string[]] {
  const { uid = process.getuid?.(), gid = process.getgid?.() } = postgresIdentity;
  // To mount takes root, which everybody is in a namespace of his own; to PostgreSQL it has to be somebody else again.
  const script = `mount -t tmpfs -o size=${size},mode=0700 small "$0" && exec unshare -U --map-user=${uid} --map-group=${gid} "$@"`;
  return ['unshare', ['-Urm', 'sh', '-c', script, directory, command, ...args]];
}

/** The directory to mount at, inside of `parent`. */
export function makeSmallDisk(parent: string): string {
  const directory = join(parent, 'small-disk');
  mkdirSync(directory, { recursive: true });
  const { uid, gid } = postgresIdentity;
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid);
  return directory;
}

async function tryToMount(): Promise<boolean> {
  const parent = mkdtempSync(join(tmpdir(), 'keelson-small-disk-'));
  const { uid, gid } = postgresIdentity;
  if (uid !== undefined && gid !== undefined) chownSync(parent, uid, gid);
  const directory = makeSmallDisk(parent);
  const [command, args] = withSmallDisk(directory, 'touch', [join(directory, 'file')]);
  const options = { ...postgresIdentity, cwd: '/', env: postgresEnvironment };
  const isMounted = await new Promise<boolean>(resolve =>
    execFile(command, args, options, error => resolve(error === null)),
  );
  rmSync(parent, { recursive: true });
  return isMounted;
}
