import { accessSync, chownSync, constants, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { guard, release } from './guardian.js';
import { postgresIdentity } from './postgres-binaries.js';
import { sendSignal, waitUntilGone } from './processes.js';
import { spawnServer } from './spawn-server.js';

/** Where systems keep servers, which is not always on the path of a user. */
const furtherFolders = ['/usr/sbin', '/usr/local/sbin', '/sbin', ...postgresFolders()];

/** The path of a program of this machine; undefined when it has none of that name. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...furtherFolders];
  return folders.map(folder => join(folder, name)).find(canExecute);
}

/** A temporary folder that the user of `Daemon` owns; removed when this process ends, however it ends. */
export function daemonFolder(purpose: string): string {
  const directory = mkdtempSync(join(tmpdir(), `keelson-${purpose}-`));
  guard(directory);
  own(directory);
  return directory;
}

/** Gives a file to the user that runs the daemons: `nobody` instead of root, otherwise the user of the tests. */
export function own(path: string): void {
  const { uid, gid } = postgresIdentity;
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}

export function removeFolder(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  release(directory);
}

export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Made by `daemonFolder`: its log is written there. */
  readonly directory: string;
  /** It has started when this port of 127.0.0.1 accepts a connection. */
  readonly port: number;
  /** Stops at once, also with clients connected. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

const startTimeoutMs = 10_000;
const stopTimeoutMs = 5_000;

/**
 * A server that is not PostgreSQL, in the foreground: a pooler, a load balancer. It runs as `nobody` when the tests run as
 * root, and ends with this process at the latest.
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #logFile: string;
  #pid: number | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#logFile = join(options.directory, 'log');
  }

  /** Undefined while it is stopped. */
  get pid(): number | undefined {
    return this.#pid;
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  /** Resolves when it accepts connections. Does nothing when it runs. */
  async start(): Promise<void> {
    if (this.#pid !== undefined) return;
    const { program, args } = this.#options;
    const pid = await spawnServer(program, args, this.#logFile, ended => {
      if (this.#pid === ended) this.#pid = undefined;
    });
    this.#pid = pid;
    const end = performance.now() + startTimeoutMs;
    while (!(await accepts(this.#options.port))) {
      if (this.#pid !== pid) throw new Error(`${program} did not start:\n${this.log().slice(-2_000)}`);
      if (performance.now() > end) throw new Error(`${program} is not ready after ${startTimeoutMs} ms`);
      await sleep(5);
    }
  }

  /** Stops it at once; resolves when it is gone. Does nothing when it is stopped. */
  async stop(): Promise<void> {
    await this.#end(this.#options.stopSignal ?? 'SIGTERM');
  }

  /** After SIGKILL resolves when it is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (signal === 'SIGKILL') await this.#end(signal);
    else if (this.#pid !== undefined) sendSignal(this.#pid, signal);
  }

  /** SIGSTOP: connections stay open and new ones are accepted, and nothing answers. */
  freeze(): void {
    if (this.#pid !== undefined) sendSignal(this.#pid, 'SIGSTOP');
  }

  thaw(): void {
    if (this.#pid !== undefined) sendSignal(this.#pid, 'SIGCONT');
  }

  async dispose(): Promise<void> {
    await this.#end('SIGKILL');
    removeFolder(this.#options.directory);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const pid = this.#pid;
    if (pid === undefined) return;
    this.thaw();
    sendSignal(pid, signal);
    if (!(await waitUntilGone([pid], stopTimeoutMs))) {
      throw new Error(`${this.#options.program} did not end with ${signal} within ${stopTimeoutMs} ms`);
    }
    // It is gone before Node has reported it.
    while (this.#pid === pid) await sleep(1);
  }
}

/** Debian keeps the programs of each version of PostgreSQL in a folder of their own. The newest first. */
function postgresFolders(): string[] {
  const parent = '/usr/lib/postgresql';
  if (!existsSync(parent)) return [];
  const versions = readdirSync(parent).toSorted((one, other) => Number(other) - Number(one));
  return versions.map(version => join(parent, version, 'bin'));
}

function canExecute(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(port, '127.0.0.1');
    probe.once('connect', () => probe.destroy());
    probe.once('error', () => resolve(false));
    probe.once('close', hadError => resolve(!hadError));
  });
}
