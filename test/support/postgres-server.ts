import { dirname } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.js';
import { clusterDirectory, createCluster, removeDirectory, superuser } from './postgres-binaries.js';
import { PostgresProcess, type Settings, type StopMode } from './postgres-process.js';
import { queryOnce } from './query-once.js';
import { canHaveSmallDisk, makeSmallDisk } from './small-disk.js';

export interface PostgresOptions {
  /** Server settings: `{ max_connections: 20, deadlock_timeout: '50ms' }`. */
  settings?: Settings;
  /**
   * Writes through to the disk, as a production server does. Default false: several times faster, and still safe
   * against everything but a crash of the machine (a `kill -9` of the server included).
   */
  fsync?: boolean;
  /** With a `smallDisk`, if possible. Default false. */
  smallDisk?: boolean;
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
  /**
   * A directory for tablespaces with a file system of a few megabytes, empty after each start. Undefined when it was not
   * asked for, or cannot be had here.
   */
  readonly smallDisk: string | undefined;
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

/** Starts a PostgreSQL 18 of its own for a test, in about 0.1 s. It ends with this process at the latest. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const hasSmallDisk = options.smallDisk === true && (await canHaveSmallDisk());
  const server = new LocalPostgres(await freePort(), { ...options, smallDisk: hasSmallDisk });
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

class LocalPostgres implements PostgresServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly smallDisk: string | undefined;
  readonly #process: PostgresProcess;

  constructor(port: number, { fsync = false, smallDisk = false, settings }: PostgresOptions) {
    const directory = clusterDirectory({ onDisk: fsync });
    this.port = port;
    this.smallDisk = smallDisk ? makeSmallDisk(directory) : undefined;
    const all = {
      port,
      listen_addresses: this.host,
      unix_socket_directories: '',
      fsync,
      full_page_writes: fsync,
      // In files under the data directory, so that nothing stays in /dev/shm after a kill -9.
      dynamic_shared_memory_type: 'mmap',
      io_method: 'sync',
      shared_buffers: '32MB',
      ...settings,
    };
    this.#process = new PostgresProcess(directory, all, this.smallDisk);
  }

  get url(): string {
    return this.#url(superuser, 'postgres');
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get dataDirectory(): string {
    return this.#process.dataDirectory;
  }

  start(): Promise<void> {
    return this.#process.start();
  }

  stop(mode: StopMode = 'fast'): Promise<void> {
    return this.#process.stop(mode);
  }

  async restart(mode?: StopMode): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  kill(signal: NodeJS.Signals): Promise<void> {
    return this.#process.kill(signal);
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<Row[]> {
    return queryOnce<Row>(this.#url(superuser, database), sql, values);
  }

  async createDatabase(name: string): Promise<string> {
    await createApplicationRole(this);
    await this.query(`create database ${pg.escapeIdentifier(name)} owner ${applicationRole.name}`);
    return this.#url(applicationRole, name);
  }

  log(): string {
    return this.#process.log();
  }

  async dispose(): Promise<void> {
    await this.#process.dispose();
    removeDirectory(dirname(this.dataDirectory));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #url(role: { name: string; password: string }, database: string): string {
    return `postgres://${role.name}:${role.password}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }
}
