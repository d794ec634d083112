import { resolve } from 'node:path';
import { type Clock, Deadline, type KeepProcess, type Logger } from '@keelson/core';
import {
  type AcquireOptions,
  AcquireTimeoutError,
  type BatchOutcome,
  DatabaseClosedError,
  type DatabaseDriver,
  type DriverConnection,
  type DriverContext,
  type DriverListener,
  LastingNames,
  type OpenListenerOptions,
  OverloadedError,
  type Permit,
  Permits,
  type PoolStats,
  plainEngine,
  type Statement,
  type TransactionOutcome,
  UnsupportedError,
} from '@keelson/database';
import { capabilities } from './capabilities.js';
import { prepareDataDir } from './data-dir.js';
import { DataDirLock } from './data-dir-lock.js';
import { folderNotOpened, memoryLost, PgliteError } from './errors.js';
import { openKept } from './kept/kept-link.js';
import { inMemory, type PgliteOptions } from './options.js';
import { PgliteConnection } from './pglite-connection.js';
import { batchOf, PgliteEngine } from './pglite-engine.js';
import { openHere, type PgliteLink } from './pglite-link.js';
import { PgliteListener } from './pglite-listener.js';

const keepMain = new URL('./kept/keep-main.js', import.meta.url);

/** DatabaseDriver on PGlite: PostgreSQL in this process, or in one that outlives it, with one connection. */
export class PgliteDriver implements DatabaseDriver {
  readonly name = 'pglite';
  readonly databaseName = 'postgres';
  readonly engine = plainEngine(capabilities);
  readonly capabilities = this.engine.capabilities;
  readonly #dataDir: string;
  readonly #options: PgliteOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #permits: Permits;
  readonly #names: LastingNames;
  readonly #keepProcess: KeepProcess | undefined;
  readonly #dump: (() => Promise<Blob | undefined>) | undefined;
  readonly #lostListeners: ((cause: unknown) => void)[] = [];
  #lock: DataDirLock | undefined;
  #opening: Promise<PgliteEngine> | undefined;
  #engine: PgliteEngine | undefined;
  #lent: { readonly since: number; readonly connection: PgliteConnection } | undefined;
  #listener: PgliteListener | undefined;
  #opened = 0;
  #lost = 0;
  readonly #closing = new AbortController();

  /** A database in memory starts with the content of `dump`; without `dump` it starts empty. */
  constructor(
    options: PgliteOptions,
    { clock, logger, directory, keepProcess }: DriverContext,
    dump?: () => Promise<Blob | undefined>,
  ) {
    this.#dump = dump;
    this.#keepProcess = keepProcess;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#dataDir = options.dataDir === inMemory ? inMemory : resolve(directory, options.dataDir);
    this.#names = new LastingNames(clock, statements => this.#ask(statements));
    this.#permits = new Permits({
      max: 1,
      maxWaiting: options.maxWaiting,
      clock,
      onTimeout: waitedMs => this.#timedOut(waitedMs),
      onFull: () => new OverloadedError({ ...this.stats(), maxWaiting: options.maxWaiting }),
    });
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.ping(signal);
  }

  async acquire({ deadline, signal }: AcquireOptions): Promise<DriverConnection> {
    const permit = await this.#permits.acquire(deadline.within(this.#options.acquireTimeoutMs), signal);
    try {
      return this.#lend(await this.#open(), permit);
    } catch (error) {
      permit.release();
      throw error;
    }
  }

  /** While the connection is lent, its session proves that PGlite runs: a ping would run in that session. */
  async ping(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const engine = await untilAborted(this.#open(), signal);
    if (this.#permits.taken > 0) return;
    const { failure } = await engine.run(batchOf([{ sql: 'select 1' }])).catch(error => this.#ended(engine, error));
    if (failure !== undefined) throw failure.error;
  }

  transactionOutcome(): Promise<TransactionOutcome> {
    return Promise.reject(new UnsupportedError({ driver: this.name, capability: 'commit-lookup' }));
  }

  /** Returns a copy of the stored database. Waits for the session that has the connection. */
  async dump(deadline: Deadline): Promise<Blob> {
    const permit = await this.#permits.acquire(deadline.within(this.#options.acquireTimeoutMs));
    try {
      return await (await this.#open()).dump();
    } finally {
      permit.release();
    }
  }

  /** Listens on the only connection: LISTEN and UNLISTEN wait until no session has it. */
  async openListener(options: OpenListenerOptions): Promise<DriverListener> {
    const engine = await untilAborted(this.#open(), options.signal);
    const exclusively = async (work: () => Promise<void>, signal: AbortSignal) => {
      const deadline = Deadline.after(this.#options.acquireTimeoutMs, this.#clock);
      const permit = await this.#permits.acquire(deadline, signal);
      await work().finally(() => permit.release());
    };
    this.#listener = new PgliteListener({ ...options, engine, exclusively });
    return this.#listener;
  }

  stats(): PoolStats {
    const total = this.#engine === undefined ? 0 : 1;
    const { taken: busy, waiting } = this.#permits;
    const counters = { ...this.#permits.counters, opened: this.#opened, discarded: { lost: this.#lost } };
    return { total, idle: Math.max(0, total - busy), busy, waiting, max: 1, counters };
  }

  suspend(): void {
    this.#permits.suspend();
  }

  resume(): void {
    this.#permits.resume();
  }

  /** Does nothing: no server behind the connection can change. */
  renew(): void {}

  async close(deadline: Deadline): Promise<void> {
    this.#closing.abort(new DatabaseClosedError());
    const returned = this.#permits.close(new DatabaseClosedError());
    const waitMs = deadline.remainingMs();
    const timer = this.#clock.schedule(waitMs, () => this.#lent?.connection.destroy(), { keepAlive: true });
    await returned;
    timer.cancel();
    await this.#opening?.catch(() => {});
    await this.#shut();
  }

  onLost(listener: (cause: unknown) => void): void {
    this.#lostListeners.push(listener);
  }

  /** Returns the running engine, or a new one on the same files. */
  #open(): Promise<PgliteEngine> {
    if (this.#closing.signal.aborted) return Promise.reject(new DatabaseClosedError());
    if (this.#engine !== undefined) return Promise.resolve(this.#engine);
    if (this.#opened > 0 && this.#dataDir === inMemory) return Promise.reject(memoryLost());
    this.#opening ??= this.#start().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #start(): Promise<PgliteEngine> {
    const kept = await this.#kept();
    if (kept === undefined && this.#dataDir !== inMemory && this.#lock === undefined) {
      await prepareDataDir(this.#dataDir);
      this.#lock = DataDirLock.take(this.#dataDir);
    }
    try {
      this.#engine = new PgliteEngine(kept ?? (await openHere(this.#dataDir, await this.#dump?.())));
      this.#opened += 1;
      await this.#names.learn();
      return this.#engine;
    } catch (error) {
      this.#unlock();
      throw folderNotOpened(this.#dataDir, error);
    }
  }

  /** The database in a process that outlives this one; undefined where there is no such process. */
  async #kept(): Promise<PgliteLink | undefined> {
    if (this.#keepProcess === undefined || this.#dataDir === inMemory) return undefined;
    await prepareDataDir(this.#dataDir);
    const address = await this.#keepProcess({ file: keepMain, words: [this.#dataDir] }).catch((error: unknown) => {
      this.#logger.warn('the database opens again at each restart: no process keeps it open', { error });
    });
    if (address === undefined) return undefined;
    try {
      return await openKept(address, this.#closing.signal);
    } catch (error) {
      throw error instanceof PgliteError ? error : folderNotOpened(this.#dataDir, error);
    }
  }

  #lend(engine: PgliteEngine, permit: Permit): DriverConnection {
    const connection = new PgliteConnection(engine, {
      names: this.#names,
      onLost: cause => void this.#ended(engine, cause),
      onDiscarded: async () => this.#listener?.restore(),
      onReturned: () => {
        this.#lent = undefined;
        permit.release();
      },
    });
    this.#lent = { since: this.#clock.now(), connection };
    return connection;
  }

  /** Handles a crash of PGlite: committed data is in its files, so a new engine can continue. */
  #ended(engine: PgliteEngine, cause: unknown): { failure: { error: unknown } } {
    if (this.#engine === engine) {
      this.#engine = undefined;
      this.#lost += 1;
      this.#listener?.lose(cause);
      this.#logger.warn('pglite crashed', { error: cause });
      for (const listener of this.#lostListeners) listener(cause);
    }
    return { failure: { error: new Error('Connection terminated: PGlite has ended', { cause }) } };
  }

  async #shut(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close().catch((error: unknown) => this.#logger.warn('closing PGlite failed', { error }));
    this.#unlock();
  }

  /** Of the engine itself: no session runs while the connection is opened, or returned. */
  async #ask(statements: readonly Statement[]): Promise<BatchOutcome['results']> {
    const { results = [], failure } = (await this.#engine?.run(batchOf(statements))) ?? {};
    if (failure !== undefined) throw failure.error;
    return results;
  }

  #unlock(): void {
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }

  #timedOut(waitedMs: number): AcquireTimeoutError {
    const since = this.#lent?.since;
    const longestHeldMs = since === undefined ? 0 : Math.round(this.#clock.now() - since);
    return new AcquireTimeoutError({ ...this.stats(), waitedMs, longestHeldMs });
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}
