import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPostgres } from './postgres-binaries.js';
import { postmasterFile, removeSharedMemory } from './postmaster-file.js';
import { childrenOf, isAlive, sendSignal, waitUntilGone } from './processes.js';
import { withSmallDisk } from './small-disk.js';
import { spawnServer } from './spawn-server.js';

/**
 * How PostgreSQL stops: `smart` waits for clients to leave, `fast` ends their transactions (57P01) and closes cleanly,
 * `immediate` drops everything, and the next start recovers from the log.
 */
export type StopMode = 'smart' | 'fast' | 'immediate';

export type Settings = Readonly<Record<string, string | number | boolean>>;

const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** The processes of a server: the postmaster, and the children it starts for connections and chores. */
export class PostgresProcess {
  readonly dataDirectory: string;
  readonly #logFile: string;
  readonly #settings: Settings;
  readonly #smallDisk: string | undefined;
  #pid: number | undefined;
  #frozen: readonly number[] = [];
  #leftBehind: readonly number[] = [];

  constructor(directory: string, settings: Settings, smallDisk?: string) {
    this.dataDirectory = join(directory, 'data');
    this.#logFile = join(directory, 'log');
    this.#settings = settings;
    this.#smallDisk = smallDisk;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
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

  async stop(mode: StopMode): Promise<void> {
    if (this.#pid === undefined) return;
    this.thaw();
    const family = [this.#pid, ...childrenOf(this.#pid)];
    sendSignal(this.#pid, stopSignals[mode]);
    if (await waitUntilGone(family, stopTimeoutMs)) return this.#untilNoticed();
    throw new Error(`PostgreSQL did not stop (${mode}) within ${stopTimeoutMs} ms`);
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

  /** Ends everything, in whatever state it is. */
  async dispose(): Promise<void> {
    await this.stop('immediate').catch(() => this.kill('SIGKILL'));
    await this.#clearAfterCrash();
    await removeSharedMemory(this.dataDirectory);
  }

  async #spawn(): Promise<number> {
    const { postgres } = await findPostgres();
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const words = ['-D', this.dataDirectory, ...settings];
    const [command, args] =
      this.#smallDisk === undefined ? [postgres, words] : withSmallDisk(this.#smallDisk, postgres, words);
    this.#pid = await spawnServer(command, args, this.#logFile, () => {
      this.#pid = undefined;
    });
    return this.#pid;
  }

  /** The postmaster says in its pid file how far it is; the same place pg_ctl looks. */
  #isReady(pid: number): boolean {
    const file = postmasterFile(this.dataDirectory);
    return file?.pid === pid && file.status === 'ready';
  }

  /** The processes are gone before Node has reported it. */
  async #untilNoticed(): Promise<void> {
    while (this.#pid !== undefined) await sleep(1);
  }

  /**
   * Backends notice that the postmaster died, and leave, unless they are busy; until they have, the next one refuses
   * to start.
   */
  async #clearAfterCrash(): Promise<void> {
    if (await waitUntilGone(this.#leftBehind, 500)) return;
    for (const pid of this.#leftBehind.filter(isAlive)) sendSignal(pid, 'SIGKILL');
    await waitUntilGone(this.#leftBehind, 2_000);
  }
}
