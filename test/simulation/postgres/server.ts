import type { End, Link, Listener } from '../network/network.ts';
import type { Random } from '../world/random.ts';
import type { World } from '../world/world.ts';
import { Backend } from './backend.ts';
import { epoch } from './epoch.ts';
import type { Message } from './listen.ts';
import { problems, type SqlError } from './sql-error.ts';
import { type LogRecord, Store, type Transaction } from './store.ts';

export interface ServerOptions {
  readonly name: string;
  readonly address: string;
  readonly maxConnections: number;
  /** How long after its COMMIT was answered a transaction may still be lost in a crash, in ms; 0: never. */
  readonly lazyFlushMs: number;
  /** How long one statement takes, on average, in ms. */
  readonly statementMs: number;
  /** Of a standby: how long after it was written a record arrives, on average, in ms. */
  readonly replicationMs: number;
}

type State = 'running' | 'starting' | 'stopping' | 'down' | 'off';

/** A COMMIT, before or after it is done. */
export interface CommitMoment {
  readonly when: 'before' | 'after';
  readonly link: Link;
  readonly units: ReadonlySet<string>;
}

/** What became of the unit of one committed transaction. */
export interface Stored {
  readonly unit: string;
  readonly server: string;
  readonly atMs: number;
  /** Its client, or a caller that looked its outcome up, got the answer that it is committed. */
  isLearned: boolean;
  lostAtMs: number | undefined;
}

/** The same for all servers of a cluster: what ran on which, and what was lost. */
export class History {
  readonly stored: Stored[] = [];
  readonly #byRecord = new Map<LogRecord, Stored[]>();
  readonly #ofId = new Map<string, LogRecord>();

  committed(server: string, record: LogRecord, units: Iterable<string>, atMs: number): void {
    const stored = [...units].map(unit => ({ unit, server, atMs, isLearned: false, lostAtMs: undefined }));
    this.stored.push(...stored);
    this.#byRecord.set(record, stored);
    this.#ofId.set(`${server} ${record.id}`, record);
  }

  /** To be called when an answer about a transaction is given; the result, when it has arrived. Its id may be given again meanwhile. */
  answerAbout(server: string, id: bigint): () => void {
    const record = this.#ofId.get(`${server} ${id}`);
    return () => {
      if (record !== undefined) this.#learned(record);
    };
  }

  #learned(record: LogRecord): void {
    for (const stored of this.#byRecord.get(record) ?? []) stored.isLearned = true;
  }

  lost(records: Iterable<LogRecord>, atMs: number): number {
    let count = 0;
    for (const record of records)
      for (const stored of this.#byRecord.get(record) ?? []) {
        stored.lostAtMs ??= atMs;
        count += 1;
      }
    return count;
  }
}

/** One simulated PostgreSQL: its store, its backends, its life. */
export class SimulatedServer implements Listener {
  readonly options: ServerOptions;
  readonly world: World;
  readonly history: History;
  readonly random: Random;
  readonly backends = new Map<number, Backend>();
  readonly address: string;
  store = new Store();
  state: State = 'running';
  isStandby = false;
  /** Sessions begin read-only. */
  isReadOnly = false;
  timeline = 1;
  startedAtMs: number;
  statsResetAtMs: number;
  /** A factor for the time that everything takes. */
  slowness = 1;
  readonly #tables: readonly string[];
  #flushed = 0;
  #nextPid: number;
  #standbys: { readonly server: SimulatedServer; next: number }[] = [];
  #upstream: SimulatedServer | undefined;
  maxConnections: number;
  /** It must not start: another one is about to take its place. */
  isFenced = false;
  /** It takes no more connections. */
  isFull = false;
  /** Asked at each COMMIT of a transaction that has written; `stop`: it is not done. */
  onCommit: ((at: CommitMoment) => 'stop' | 'go on' | { readonly laterMs: number }) | undefined;
  /** Replication is held up. */
  isLagging = false;
  readonly #made = new Set<string>();
  #areStatisticsLost = false;

  constructor(world: World, history: History, tables: readonly string[], options: ServerOptions) {
    this.world = world;
    this.history = history;
    this.options = options;
    this.address = options.address;
    this.random = world.random.fork(`server ${options.name}`);
    this.#tables = tables;
    this.maxConnections = options.maxConnections;
    this.startedAtMs = world.epochMs - this.random.integer(1_000, 5_000_000);
    this.statsResetAtMs = this.startedAtMs - this.random.integer(0, 9_000_000);
    this.#nextPid = this.random.integer(100, 30_000);
    this.#open(this.store);
  }

  get name(): string {
    return this.options.name;
  }

  get presence(): Listener['presence'] {
    if (this.state === 'off') return 'silent';
    return this.state === 'down' ? 'refusing' : 'listening';
  }

  get refusal(): SqlError | undefined {
    if (this.state === 'starting') return problems.starting();
    if (this.state === 'stopping') return problems.stopping();
    return this.isFull || this.backends.size > this.maxConnections ? problems.tooMany() : undefined;
  }

  /** Distinguishes one run of one server from others. */
  get run(): string {
    return `${epoch(this.statsResetAtMs)}/${this.address}/5432`;
  }

  /** Those that it was made with. */
  get tableNames(): readonly { readonly schema: string; readonly name: string }[] {
    const names = new Set([...this.#tables, ...this.#made]);
    return [...names].filter(name => !name.includes('.')).map(name => ({ schema: 'public', name }));
  }

  createTable(name: string): void {
    this.#made.add(name);
    this.store.createTable(name);
    for (const { server } of this.#standbys) server.createTable(name);
  }

  accept(link: Link): End {
    const backend = new Backend(this, link, this.#nextPid++, this.random.integer(1, 2_000_000_000));
    this.backends.set(backend.pid, backend);
    return backend;
  }

  /** A cancel request. */
  cancel(pid: number, secret: number): void {
    const backend = this.backends.get(pid);
    if (backend?.secret === secret) backend.cancel();
  }

  commit(transaction: Transaction): bigint | undefined {
    const record = this.store.commit(transaction, this.world.epochMs);
    if (record === undefined) return undefined;
    if (transaction.units.size > 0)
      this.world.note(`${this.name} commits ${[...transaction.units].join(' and ')} (transaction ${record.id})`);
    this.history.committed(this.name, record, transaction.units, this.world.now);
    return record.id;
  }

  /** Of a transaction that is stored, to all who listen to something: each chooses when it reads them. */
  deliver(from: number, messages: readonly Message[]): void {
    for (const message of messages)
      for (const backend of this.backends.values())
        if (backend.channels.listening.size > 0) backend.inform({ ...message, from });
  }

  /** `standby` gets all that is written here, later. */
  replicateTo(standby: SimulatedServer): void {
    standby.isStandby = true;
    standby.isReadOnly = true;
    standby.#upstream = this;
    // As a base backup, which has what is flushed: otherwise it would be ahead of this one after a crash.
    const copied = this.store.log.filter(({ position }) => position <= this.#flushed);
    standby.store = Store.of(copied);
    standby.#open(standby.store);
    standby.#flushed = standby.store.position;
    this.#standbys.push({ server: standby, next: copied.length });
    this.ship();
  }

  /** Sends what is flushed and not sent yet. */
  ship(): void {
    for (const standby of this.#standbys) {
      const { server } = standby;
      if (server.#upstream !== this || server.isLagging) continue;
      for (; standby.next < this.store.log.length; standby.next++) {
        const record = this.store.log[standby.next];
        // Nothing is sent that is not flushed here.
        if (record === undefined || record.position > this.#flushed) break;
        const delayMs = this.random.exponential(this.options.replicationMs);
        this.world.time.after(delayMs, 'replication', () => server.#receive(record, this), undefined);
      }
    }
  }

  /** In order: one that comes early waits. */
  readonly #early = new Map<number, LogRecord>();
  #receive(record: LogRecord, from: SimulatedServer): void {
    if (this.#upstream !== from || !this.isStandby || this.state === 'down' || this.state === 'off') return;
    this.#early.set(record.position, record);
    for (
      let next = this.#early.get(this.store.position + 1);
      next !== undefined;
      next = this.#early.get(this.store.position + 1)
    ) {
      this.#early.delete(next.position);
      this.store.replay(next);
      this.#flushed = next.position;
    }
  }

  lag(isLagging: boolean): void {
    this.isLagging = isLagging;
    if (!isLagging) this.#upstream?.ship();
  }

  /** It takes writes from now on. What it has not received is lost. */
  promote(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    this.#early.clear();
    this.isStandby = false;
    this.isReadOnly = false;
    this.timeline += 1;
    const missing = (upstream?.store.log ?? []).filter(({ position }) => position > this.store.position);
    const lost = this.history.lost(missing, this.world.now);
    this.world.note(`${this.name} is promoted; ${lost} committed units never reached it`);
    for (const backend of this.backends.values()) backend.reportRole();
  }

  /** The process ends at once, as by kill -9 of all of it; what was not flushed is lost. */
  crash({
    losesUnflushed,
    isPowerOff = false,
  }: {
    readonly losesUnflushed: boolean;
    readonly isPowerOff?: boolean;
  }): void {
    if (this.state === 'down' || this.state === 'off') return;
    const upTo = losesUnflushed ? this.#flushed : this.store.position;
    const kept = this.store.log.filter(({ position }) => position <= upTo);
    const gone = this.store.log.filter(({ position }) => position > upTo);
    const isPrimary = !this.isStandby;
    const lost = isPrimary ? this.history.lost(gone, this.world.now) : 0;
    this.world.note(
      `${this.name} ${isPowerOff ? 'loses power' : 'crashes'}${lost > 0 ? `; ${lost} units that were committed are lost` : ''}`,
    );
    this.state = isPowerOff ? 'off' : 'down';
    // What dies writes no record.
    this.store.onLogged = undefined;
    for (const backend of this.backends.values()) backend.die(isPowerOff);
    this.backends.clear();
    this.store = Store.of(kept);
    this.#open(this.store);
    this.#areStatisticsLost = true;
  }

  /** An orderly stop: all connections are ended, and everything is flushed. */
  stop(): void {
    if (this.state !== 'running') return;
    this.world.note(`${this.name} is stopped`);
    this.state = 'stopping';
    for (const backend of this.backends.values()) backend.terminate();
    this.world.time.after(
      50,
      'a server that stops',
      () => {
        if (this.state !== 'stopping') return;
        for (const backend of this.backends.values()) backend.die(false);
        this.backends.clear();
        this.state = 'down';
      },
      undefined,
    );
  }

  /** It refuses connections for `recoveryMs`, and then it is there. */
  start(recoveryMs: number): void {
    if (this.isFenced || (this.state !== 'down' && this.state !== 'off')) return;
    this.world.note(`${this.name} starts`);
    this.state = 'starting';
    this.startedAtMs = this.world.epochMs;
    this.world.time.after(
      recoveryMs,
      'a server that starts',
      () => {
        if (this.state !== 'starting') return;
        this.state = 'running';
        this.startedAtMs = this.world.epochMs;
        this.#flushed = this.store.position;
        if (this.#areStatisticsLost) this.statsResetAtMs = this.world.epochMs;
        this.#areStatisticsLost = false;
        this.world.note(`${this.name} takes connections`);
        this.ship();
        this.#upstream?.catchUp(this);
      },
      undefined,
    );
  }

  /** Sends again what a standby has missed while it was down. */
  catchUp(standby: SimulatedServer): void {
    for (const each of this.#standbys)
      if (each.server === standby) each.next = Math.min(each.next, standby.store.log.length);
    this.ship();
  }

  /** Follows another one from now on, made again as a copy of it. */
  follow(primary: SimulatedServer): void {
    primary.#standbys = primary.#standbys.filter(({ server }) => server !== this);
    primary.replicateTo(this);
  }

  #open(store: Store): void {
    for (const table of [...this.#tables, ...this.#made]) store.createTable(table);
    store.onLogged = record => {
      if (store !== this.store) return;
      const { lazyFlushMs } = this.options;
      const flush = () => {
        if (store !== this.store) return;
        this.#flushed = Math.max(this.#flushed, record.position);
        this.ship();
      };
      if (lazyFlushMs === 0) flush();
      else this.world.time.after(this.random.between(0, lazyFlushMs), 'a flush', flush, undefined);
    };
    this.#flushed = Math.min(this.#flushed === 0 ? store.position : this.#flushed, store.position);
  }
}
