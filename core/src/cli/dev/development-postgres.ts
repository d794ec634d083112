import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { refuse } from '../command.js';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.js';

const user = 'postgres';
const startTimeoutMs = 30_000;

/** Nothing of the person: a `PGPORT` must not reach the server. */
const environment = { PATH: process.env.PATH, SystemRoot: process.env.SystemRoot, LC_ALL: 'C', TZ: 'UTC' };

/** PostgreSQL refuses to run as root, so root hands over to `nobody`. */
const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

export interface PostgresRequest {
  /** The folder of the service; the data stay in `.data/postgres` below. */
  readonly directory: string;
  /** The name of the database. */
  readonly database: string;
}

/** A PostgreSQL server for development: on 127.0.0.1, with its data kept. Ends with `keelson dev`. */
export class DevelopmentPostgres implements AsyncDisposable {
  /** With the password. */
  readonly url: string;
  readonly #pid: number | undefined;
  readonly #child: ChildProcess | undefined;

  private constructor(url: string, pid: number | undefined, child?: ChildProcess) {
    this.url = url;
    this.#pid = pid;
    this.#child = child;
  }

  /**
   * Starts the server, and makes its data folder at the first time.
   *
   * @throws KeelsonError CLI_POSTGRES_FAILED.
   */
  static async start({ directory, database }: PostgresRequest): Promise<DevelopmentPostgres> {
    const binaries = postgresBinaries(directory);
    const cluster = new Cluster(join(directory, '.data', 'postgres'), binaries);
    const left = await cluster.running();
    const password = cluster.prepare(database, left !== undefined);
    const urlOf = (port: number) =>
      `postgresql://${user}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
    if (left !== undefined) return new DevelopmentPostgres(urlOf(left.port), left.pid);
    const port = await freePort();
    const child = await cluster.start(port);
    return new DevelopmentPostgres(urlOf(port), child.pid, child);
  }

  /** Stops the server as its own "fast" mode does. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pid === undefined) return;
    const ended = this.#child === undefined ? undefined : new Promise(resolve => this.#child?.once('exit', resolve));
    if (this.#child !== undefined && this.#child.exitCode !== null) return;
    try {
      process.kill(this.#pid, 'SIGINT');
    } catch {
      return;
    }
    await ended;
  }
}

class Cluster {
  readonly #folder: string;
  readonly #data: string;
  readonly #binaries: PostgresBinaries;

  constructor(folder: string, binaries: PostgresBinaries) {
    this.#folder = folder;
    this.#data = join(folder, 'data');
    this.#binaries = binaries;
  }

  /** Makes the cluster, and the database in it, when there is none; returns the password. A server that runs is left as it is. */
  prepare(database: string, isRunning: boolean): string {
    const passwordFile = join(this.#folder, 'password');
    // Written when the cluster is whole; names the databases that were made.
    const madeFile = join(this.#folder, 'databases');
    if (!existsSync(madeFile)) {
      this.#make(passwordFile);
      writeFileSync(madeFile, '');
    }
    const made = readFileSync(madeFile, 'utf8').split('\n');
    if (!made.includes(database) && !isRunning) {
      const words = ['--single', '-D', this.#data, 'postgres'];
      this.#run(this.#binaries.postgres, words, `create database "${database.replaceAll('"', '""')}"\n`);
      appendFileSync(madeFile, `${database}\n`);
    }
    return readFileSync(passwordFile, 'utf8').trim();
  }

  #make(passwordFile: string): void {
    mkdirSync(dirname(this.#folder), { recursive: true });
    if (!existsSync(this.#folder)) mkdirSync(this.#folder, { mode: 0o700 });
    // What an interrupted first start has left.
    rmSync(this.#data, { recursive: true, force: true });
    writeFileSync(passwordFile, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 });
    if (identity.uid !== undefined) {
      for (const path of [this.#folder, passwordFile]) chownSync(path, identity.uid, identity.gid);
    }
    this.#run(this.#binaries.initdb, [
      `--pgdata=${this.#data}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
      '--no-sync',
    ]);
  }

  /** The server that a killed `keelson dev` has left running. Its id may be another process's by now: that one is left alone. */
  async running(): Promise<{ readonly pid: number; readonly port: number } | undefined> {
    const file = join(this.#data, 'postmaster.pid');
    if (!existsSync(file)) return undefined;
    const [pid, , , port] = readFileSync(file, 'utf8').split('\n').map(Number);
    if (pid === undefined || port === undefined || !(await listens(port))) return undefined;
    const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return stdout?.includes(this.#data) ? { pid, port } : undefined;
  }

  /** Resolves when the server answers queries. */
  async start(port: number): Promise<ChildProcess> {
    const settings = ['unix_socket_directories=', 'listen_addresses=127.0.0.1', 'log_min_messages=warning'];
    const words = ['-D', this.#data, '-p', String(port), ...settings.flatMap(setting => ['-c', setting])];
    const child = spawn(this.#binaries.postgres, words, {
      ...identity,
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
      // Ctrl-C must not end it before the service.
      detached: process.platform !== 'win32',
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
    let ended: string | undefined;
    child.once('error', error => {
      ended = error.message;
    });
    child.once('exit', code => {
      ended ??= `it ended with code ${code}. ${said.trim()}`;
    });
    for (const deadline = performance.now() + startTimeoutMs; !this.#isReady(); ) {
      if (ended === undefined && performance.now() > deadline) {
        child.kill('SIGKILL');
        ended = `it was not ready within ${startTimeoutMs / 1_000} s. ${said.trim()}`;
      }
      if (ended !== undefined) failed(ended);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    return child;
  }

  /** What the server itself notes in the last line of its file. */
  #isReady(): boolean {
    const file = join(this.#data, 'postmaster.pid');
    return existsSync(file) && /^ready\s*$/m.test(readFileSync(file, 'utf8'));
  }

  #run(program: string, words: readonly string[], input?: string): void {
    const { status, error, stderr } = spawnSync(program, words, {
      ...identity,
      env: environment,
      encoding: 'utf8',
      ...(input !== undefined && { input }),
    });
    if (error !== undefined) failed(error.message);
    if (status !== 0) failed(`it ended with code ${status}. ${stderr.trim()}`);
  }
}

function failed(reason: string): never {
  const hint =
    process.getuid?.() === 0
      ? 'PostgreSQL refuses to run as root, so keelson dev started it as the user nobody. Start keelson dev as a user other than root.'
      : 'Start a PostgreSQL server yourself, set its address, and omit --postgres.';
  refuse(`PostgreSQL could not be started: ${reason}`, hint, 'CLI_POSTGRES_FAILED');
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
