import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { Daemon, daemonFolder, findProgram, own } from './daemon.js';
import { freePort } from './free-port.js';
import { superuser } from './postgres-binaries.js';
import { applicationRole } from './postgres-server.js';
import { urlThrough } from './url-through.js';

const program = findProgram('pgbouncer');

/** False where the machine has no pgbouncer: `describe.skipIf(!hasPgbouncer)`. */
export const hasPgbouncer = program !== undefined;

/** `1.18` of `PgBouncer 1.18.0`, as a number of thousands: 1018; 0 without one. */
export const pgbouncerVersion = program === undefined ? 0 : versionOf(program);

export interface PgbouncerOptions {
  /** The PostgreSQL behind it; of a url only host and port matter. */
  readonly to: string | { readonly host: string; readonly port: number };
  /** Default `transaction`. */
  readonly poolMode?: 'session' | 'transaction' | 'statement';
  /** Connections to the server for each user and database. Default 10. */
  readonly poolSize?: number;
  /** How clients prove who they are. Default `scram-sha-256`. */
  readonly auth?: 'scram-sha-256' | 'md5' | 'trust';
  /** Further lines of `[pgbouncer]`: `{ query_wait_timeout: 1, max_client_conn: 5 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Databases that it knows. Default: all that the server has. */
  readonly databases?: readonly string[];
}

export interface Pgbouncer extends AsyncDisposable {
  readonly host: '127.0.0.1';
  /** Stays the same over restarts. */
  readonly port: number;
  /** Undefined while it is stopped. */
  readonly pid: number | undefined;
  /** The same database url, through it. Default: the url it was started with. */
  url(databaseUrl?: string): string;
  start(): Promise<void>;
  /** At once, also with clients connected. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** A command of its console, such as `pause`, `show pools`; returns the rows. */
  command<Row extends pg.QueryResultRow = pg.QueryResultRow>(command: string): Promise<Row[]>;
  log(): string;
  dispose(): Promise<void>;
}

/**
 * Starts the pgbouncer of this machine in front of a PostgreSQL, with its own defaults but for the address and `options`.
 * It ends with this process at the latest.
 */
export async function startPgbouncer(options: PgbouncerOptions): Promise<Pgbouncer> {
  const bouncer = new LocalPgbouncer(await freePort(), options);
  try {
    await bouncer.start();
  } catch (error) {
    await bouncer.dispose();
    throw error;
  }
  return bouncer;
}

class LocalPgbouncer implements Pgbouncer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #toUrl: string;
  readonly #daemon: Daemon;

  constructor(port: number, options: PgbouncerOptions) {
    if (program === undefined) throw new Error('There is no pgbouncer on this machine');
    const { to } = options;
    const directory = daemonFolder('pgbouncer');
    this.port = port;
    this.#toUrl = typeof to === 'string' ? to : `postgresql://${to.host}:${to.port}`;
    const config = join(directory, 'pgbouncer.ini');
    writeOwned(config, this.#config(directory, options));
    writeOwned(join(directory, 'users.txt'), [superuser, applicationRole].map(userLine).join(''));
    // From 1.23 on SIGTERM waits for clients to leave.
    const stopSignal = pgbouncerVersion >= 1_023 ? 'SIGQUIT' : 'SIGTERM';
    this.#daemon = new Daemon({ program, args: [config], directory, port, stopSignal });
  }

  get pid(): number | undefined {
    return this.#daemon.pid;
  }

  url(databaseUrl = this.#toUrl): string {
    return urlThrough(this, databaseUrl);
  }

  start(): Promise<void> {
    return this.#daemon.start();
  }

  stop(): Promise<void> {
    return this.#daemon.stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  kill(signal: NodeJS.Signals): Promise<void> {
    return this.#daemon.kill(signal);
  }

  freeze(): void {
    this.#daemon.freeze();
  }

  thaw(): void {
    this.#daemon.thaw();
  }

  async command<Row extends pg.QueryResultRow = pg.QueryResultRow>(command: string): Promise<Row[]> {
    const { name: user, password } = superuser;
    const client = new pg.Client({ host: this.host, port: this.port, user, password, database: 'pgbouncer' });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Row>(command)).rows;
    } finally {
      await client.end();
    }
  }

  log(): string {
    return this.#daemon.log();
  }

  dispose(): Promise<void> {
    return this.#daemon.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #config(directory: string, options: PgbouncerOptions): string {
    const { hostname, port } = new URL(this.#toUrl);
    const {
      poolMode = 'transaction',
      poolSize = 10,
      auth = 'scram-sha-256',
      settings = {},
      databases = ['*'],
    } = options;
    const all = {
      listen_addr: this.host,
      listen_port: this.port,
      unix_socket_dir: '',
      auth_type: auth,
      auth_file: join(directory, 'users.txt'),
      admin_users: superuser.name,
      pool_mode: poolMode,
      default_pool_size: poolSize,
      max_client_conn: 500,
      ...settings,
    };
    return [
      '[databases]',
      ...databases.map(name => `${name} = host=${hostname} port=${port || 5_432}`),
      '[pgbouncer]',
      ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
      '',
    ].join('\n');
  }
}

function versionOf(path: string): number {
  const words = execFileSync(path, ['--version'], { encoding: 'utf8' });
  const [, major, minor] = /(\d+)\.(\d+)/.exec(words) ?? [];
  return 1_000 * Number(major) + Number(minor);
}

function userLine({ name, password }: { readonly name: string; readonly password: string }): string {
  return `"${name}" "${password}"\n`;
}

function writeOwned(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  own(path);
}
