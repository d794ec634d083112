import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.js';
import { guard, release } from './guardian.js';
import {
  clusterDirectory,
  createCluster,
  findPostgres,
  postgresEnvironment,
  postgresIdentity,
  removeDirectory,
  superuser,
} from './postgres-binaries.js';
import { childrenOf, isAlive, sendSignal, waitUntilGone } from './processes.js';

/**
 * How PostgreSQL stops: `smart` waits for clients to leave, `fast` ends their transactions (57P01) and closes cleanly,
 * `immediate` drops everything, and the next start recovers from the log.
 */
export type StopMode = 'smart' | 'fast' | 'immediate';

export interface PostgresOptions {
  /** Server settings: `{ max_connections: 20, deadlock_timeout: '50ms' }`. */
  settings?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Writes through to the disk, as a production server does. Default false: several times faster, and still safe
   * against everything but a crash of the machine (a `kill -9` of the server included).
   */
  fsync?: boolean;
  /** Fills the data directory, which does not exist yet. Default: a fresh cluster. */
  prepare?: (dataDirectory: string) => Promise<void>;
}

export interface PostgresServer extends AsyncDisposable {
  /** Of the database `postgres`, as the superuser. */
  readonly url: string;
  readonly host: '127.0.0.1';
  /** Stays the same over restarts. */
  readonly port: number;
  /** Of the postmaster; undefined while stopped. */
  readonly pid: number | undefined;
  readonly dataDirectory: string;
  /** Resolves when the server accepts connections, crash recovery included. Does nothing when it runs. */
  start(): Promise<void>;
  /** Resolves when every process of the server is gone. Does nothing when it is stopped. Default mode `fast`. */
  stop(mode?: StopMode): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** Signals the postmaster; after SIGKILL resolves when it and its children are gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGSTOP to every process of the server: connections stay open and new ones are accepted, and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Runs one statement on a connection of its own, as the superuser, and returns the rows. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values?: readonly unknown[],
    database?: string,
  ): Promise<Row[]>;
  /** Creates a database owned by the role `keelson`, no superuser, and returns its url for that role. */
  createDatabase(name: string): Promise<string>;
  /** The server's log so far. */
  log(): string;
  /** Stops the server and removes its files. May be called in any state, and again. */
  dispose(): Promise<void>;
}

/** Starts a PostgreSQL 18 of its own for a test, in about 0.2 s. It ends with this process at the latest. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const directory = clusterDirectory({ onDisk: options.fsync ?? false });
  const server = new LocalPostgres(directory, await freePort(), options);
  try {
    await (options.prepare ?? createCluster)(server.dataDirectory);
    await server.start();
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return server;
}

/** Owns the databases made for tests. Not a superuser, as in production. */
export const applicationRole = { name: 'keelson', password: 'keelson' } as const;

/** Creates `applicationRole` unless it is there. */
export async function createApplicationRole(server: Pick<PostgresServer, 'query'>): Promise<void> {
  await server.query(`do $$ begin
    create role ${applicationRole.name} login password '${applicationRole.password}';
  exception when duplicate_object or unique_violation then null; end $$`);
}

const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

class LocalPostgres implements PostgresServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly dataDirectory: string;
  readonly #directory: string;
  readonly #options: PostgresOptions;
  #pid: number | undefined;
  #frozen: readonly number[] = [];
  #leftBehind: readonly number[] = [];

  constructor(directory: string, port: number, options: PostgresOptions) {
    this.#directory = directory;
    this.port = port;
    this.#options = options;
    this.dataDirectory = join(directory, 'data');
  }

  get url(): string {
    return this.#url(superuser, 'postgres');
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  async start(): Promise<void> {
    if (this.#pid !== undefined) return;
    await this.#clearAfterCrash();
    const pid = await this.#spawn();
    const end = performance.now() + startTimeoutMs;
    while (!this.#isReady(pid)) {
      if (this.#pid !== pid) throw new Error(`PostgreSQL did not start:\n${this.log().slice(-2_000)}`);
      if (performance.now() > end) throw new Error(`PostgreSQL is not ready after ${startTimeoutMs} ms`);
      await sleep(5);
    }
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    if (this.#pid === undefined) return;
    this.thaw();
    const family = [this.#pid, ...childrenOf(this.#pid)];
    sendSignal(this.#pid, stopSignals[mode]);
    if (await waitUntilGone(family, stopTimeoutMs)) return this.#untilNoticed();
    throw new Error(`PostgreSQL did not stop (${mode}) within ${stopTimeoutMs} ms`);
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#pid === undefined) return;
    if (signal === 'SIGKILL') this.#leftBehind = childrenOf(this.#pid);
    sendSignal(this.#pid, signal);
    if (signal !== 'SIGKILL') return;
    this.thaw();
    await this.#untilNoticed();
    await this.#clearAfterCrash();
  }

  freeze(): void {
    if (this.#pid === undefined) return;
    // The postmaster first: it starts no child any more that would be missed.
    sendSignal(this.#pid, 'SIGSTOP');
    const children = childrenOf(this.#pid);
    for (const child of children) sendSignal(child, 'SIGSTOP');
    this.#frozen = [...children, this.#pid];
  }

  thaw(): void {
    for (const pid of this.#frozen) sendSignal(pid, 'SIGCONT');
    this.#frozen = [];
  }

  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<Row[]> {
    const client = new pg.Client({
      connectionString: this.#url(superuser, database),
      application_name: 'keelson-test-admin',
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => {});
    await client.connect();
    try {
      const { rows } = await client.query<Row>(sql, [...values]);
      return rows;
    } finally {
      await client.end();
    }
  }

  async createDatabase(name: string): Promise<string> {
    await createApplicationRole(this);
    await this.query(`create database ${pg.escapeIdentifier(name)} owner ${applicationRole.name}`);
    return this.#url(applicationRole, name);
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  async dispose(): Promise<void> {
    if (this.#pid !== undefined) {
      await this.stop('immediate').catch(() => this.kill('SIGKILL'));
    }
    await this.#clearAfterCrash();
    await this.#removeSharedMemory();
    removeDirectory(this.#directory);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  get #logFile(): string {
    return join(this.#directory, 'log');
  }

  #url(role: { name: string; password: string }, database: string): string {
    return `postgres://${role.name}:${role.password}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  async #spawn(): Promise<number> {
    const { postgres } = await findPostgres();
    const log = openSync(this.#logFile, 'a');
    const child = spawn(postgres, ['-D', this.dataDirectory, ...this.#settings()], {
      ...postgresIdentity,
      cwd: '/',
      env: postgresEnvironment,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    child.unref();
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    const pid = child.pid;
    if (pid === undefined) throw new Error('bug: a spawned process has no id');
    guard(pid);
    this.#pid = pid;
    child.once('exit', () => {
      release(pid);
      this.#pid = undefined;
    });
    return pid;
  }

  #settings(): string[] {
    const durable = this.#options.fsync ?? false;
    const settings = {
      port: this.port,
      listen_addresses: this.host,
      unix_socket_directories: '',
      fsync: durable,
      full_page_writes: durable,
      // In files under the data directory, so that nothing stays in /dev/shm after a kill -9.
      dynamic_shared_memory_type: 'mmap',
      io_method: 'sync',
      shared_buffers: '32MB',
      ...this.#options.settings,
    };
    return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  /** The postmaster says in its pid file how far it is; the same place pg_ctl looks. */
  #isReady(pid: number): boolean {
    const [owner, , , , , , , status] = this.#pidFile();
    return Number(owner) === pid && status?.trim() === 'ready';
  }

  #pidFile(): string[] {
    const file = join(this.dataDirectory, 'postmaster.pid');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  }

  /** The processes are gone before Node has told us so. */
  async #untilNoticed(): Promise<void> {
    while (this.#pid !== undefined) await sleep(1);
  }

  /** Backends notice that the postmaster died, and leave, unless busy; until they have, the next one refuses to start. */
  async #clearAfterCrash(): Promise<void> {
    if (await waitUntilGone(this.#leftBehind, 500)) return;
    for (const pid of this.#leftBehind.filter(isAlive)) sendSignal(pid, 'SIGKILL');
    await waitUntilGone(this.#leftBehind, 2_000);
  }

  /** A postmaster that was killed could not give back the small segment that guards its data directory. */
  async #removeSharedMemory(): Promise<void> {
    const segment = this.#pidFile()[6]?.trim().split(/\s+/)[1];
    if (segment === undefined) return;
    await new Promise(resolve => execFile('ipcrm', ['-m', segment], resolve));
  }
}
