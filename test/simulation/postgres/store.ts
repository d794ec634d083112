import { type LockRequest, LockTable } from './lock-table.ts';
import { problems } from './sql-error.ts';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';
export type Row = Readonly<Record<string, string>>;

interface Version {
  readonly by: Transaction | undefined;
  /** Undefined: it is deleted. */
  readonly row: Row | undefined;
  /** When it became visible; undefined while its transaction runs. */
  sequence: number | undefined;
}

/** What a lock allows: to rely on the key of a row, to change the rest of it, or to delete it. */
export type Strength = 'key share' | 'no key update' | 'update';

interface Hold {
  readonly entry: Entry;
  readonly strength: Strength;
}

/** One key of one table, with all its versions, the latest last. */
export interface Entry {
  readonly table: string;
  readonly key: string;
  versions: Version[];
  /** Who may write it now. */
  holder: Transaction | undefined;
  /** The holder may delete it, or change its key. */
  isKeyHeld: boolean;
  /** They rely on its key, and keep others from deleting it. */
  keySharers: Set<Transaction> | undefined;
  readonly waiting: { readonly by: Transaction; readonly admit: () => void }[];
  /** Serializable transactions that have read it, or seen that it is not there. */
  readonly readers: Set<Transaction>;
}

interface Written {
  readonly entry: Entry;
  readonly version: Version;
}

interface Savepoint {
  readonly name: string;
  readonly writes: number;
  readonly holds: number;
  readonly locks: number;
  readonly mark: Mark;
}

/** Of a session when a savepoint begins. */
export interface Mark {
  /** Undoes what the session has done since, besides its rows. */
  readonly undo: () => void;
  /** Whether the transaction is read-only is not kept of what is released. */
  readonly release: () => void;
}

/** A transaction of one server. */
export class Transaction {
  isolation: Isolation;
  readonly startedAtMs: number;
  id: bigint | undefined;
  state: 'running' | 'committed' | 'aborted' = 'running';
  /** What it sees: all that was visible at this moment. Taken again for each statement when it is read committed. */
  snapshot: number | undefined;
  /** When it committed. */
  sequence: number | undefined;
  readonly writes: Written[] = [];
  readonly holds: Hold[] = [];
  /** Of tables and keys, until its end. */
  readonly locks: LockRequest[] = [];
  readonly savepoints: Savepoint[] = [];
  /** The transactions that it waits for now. */
  waitsFor: (() => readonly Transaction[]) | undefined;
  /** Rows with a value that only one row may have at COMMIT, and that another row had, too. */
  readonly toCheck: Entry[] = [];
  /** Serializable ones that have read what it writes since, so that they come before it. */
  readonly before = new Set<Transaction>();
  /** Serializable ones that write what it has read before. */
  readonly after = new Set<Transaction>();
  /** It cannot be committed any more. */
  isDoomed = false;
  /** Units whose statements ran in it. */
  readonly units = new Set<string>();

  constructor(isolation: Isolation, startedAtMs: number) {
    this.isolation = isolation;
    this.startedAtMs = startedAtMs;
  }
}

/** What of the log is needed to make the same store again. */
export interface LogRecord {
  readonly position: number;
  readonly id: bigint;
  readonly outcome: 'committed' | 'aborted';
  readonly writes: readonly { readonly table: string; readonly key: string; readonly row: Row | undefined }[];
  readonly atMs: number;
}

export const firstId = 750n;
/** Below it are those of the server itself. */
const firstOid = 16_384;

/** Tables of keys and rows, with versions of each: snapshots, row locks, serializable transactions. */
export class Store {
  readonly #tables = new Map<string, Map<string, Entry>>();
  /** Serializable transactions that have read a whole table, and so what will be in it. */
  readonly #scanners = new Map<string, Set<Transaction>>();
  /** Entries that have readers. */
  readonly #read = new Set<Entry>();
  readonly log: LogRecord[] = [];
  readonly locks = new LockTable();
  nextId = firstId;
  /** The last moment of visibility. */
  sequence = 0;
  readonly running = new Set<Transaction>();
  readonly #outcomes = new Map<bigint, 'committed' | 'aborted'>();
  readonly #byId = new Map<bigint, Transaction>();
  #serial = 0;
  /** Called with each record that is written to the log. */
  onLogged: ((record: LogRecord) => void) | undefined;

  /** The store as its log up to `position` has it. */
  static of(records: readonly LogRecord[]): Store {
    const store = new Store();
    for (const record of records) store.replay(record);
    return store;
  }

  get position(): number {
    return this.log.at(-1)?.position ?? 0;
  }

  createTable(name: string): void {
    if (!this.#tables.has(name)) this.#tables.set(name, new Map());
  }

  tableNames(): Iterable<string> {
    return this.#tables.keys();
  }

  hasTable(name: string): boolean {
    return this.#tables.has(name);
  }

  begin(isolation: Isolation, nowMs: number): Transaction {
    const transaction = new Transaction(isolation, nowMs);
    this.running.add(transaction);
    return transaction;
  }

  /** To be called before each statement. */
  takeSnapshot(transaction: Transaction): number {
    if (transaction.isolation === 'read committed' || transaction.snapshot === undefined)
      transaction.snapshot = this.sequence;
    return transaction.snapshot;
  }

  idOf(transaction: Transaction): bigint {
    if (transaction.id === undefined) {
      transaction.id = this.nextId++;
      this.#byId.set(transaction.id, transaction);
    }
    return transaction.id;
  }

  /** @throws SqlError for an id that was not given yet. */
  statusOf(id: bigint): 'committed' | 'aborted' | 'in progress' {
    if (id >= this.nextId) throw problems.future(id);
    if (this.#byId.get(id)?.state === 'running') return 'in progress';
    return this.#outcomes.get(id) ?? 'aborted';
  }

  entry(table: string, key: string): Entry {
    const entries = this.#tables.get(table);
    if (entries === undefined) throw problems.noTable(table);
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = {
        table,
        key,
        versions: [],
        holder: undefined,
        isKeyHeld: false,
        keySharers: undefined,
        waiting: [],
        readers: new Set(),
      };
      entries.set(key, entry);
    }
    return entry;
  }

  read(transaction: Transaction, table: string, key: string): Row | undefined {
    const entry = this.entry(table, key);
    this.#noteRead(transaction, entry);
    return this.#seen(transaction, entry)?.row;
  }

  /** All rows that it sees. */
  *scan(transaction: Transaction, table: string): Iterable<readonly [key: string, row: Row]> {
    const entries = this.#tables.get(table);
    if (entries === undefined) throw problems.noTable(table);
    if (transaction.isolation === 'serializable') this.#scannersOf(table).add(transaction);
    for (const [key, entry] of entries) {
      if (transaction.isolation === 'serializable') this.#noteRead(transaction, entry);
      const row = this.#seen(transaction, entry)?.row;
      if (row !== undefined) yield [key, row];
    }
  }

  /** What is stored now, as a client outside of every transaction sees it. */
  *stored(table: string): Iterable<readonly [key: string, row: Row]> {
    for (const [key, { versions }] of this.#tables.get(table) ?? []) {
      const row = versions.findLast(({ sequence }) => sequence !== undefined)?.row;
      if (row !== undefined) yield [key, row];
    }
  }

  /** All rows that are committed, or its own. */
  *latestRows(transaction: Transaction, table: string): Iterable<Row> {
    for (const entry of this.entriesOf(table)) {
      const row = this.latest(transaction, entry);
      if (row !== undefined) yield row;
    }
  }

  /** Another transaction has written the entry, and has not ended. */
  isPending(transaction: Transaction, { versions }: Entry): boolean {
    const last = versions.at(-1);
    return last !== undefined && last.sequence === undefined && last.by !== transaction;
  }

  /** The rows that may be there when all who write the entry now have ended. */
  possible(transaction: Transaction, entry: Entry): readonly Row[] {
    const pending = this.isPending(transaction, entry) ? entry.versions.at(-1)?.row : undefined;
    return [this.latest(transaction, entry), pending].filter(row => row !== undefined);
  }

  entriesOf(table: string): Iterable<Entry> {
    return this.#tables.get(table)?.values() ?? [];
  }

  /** Whether the row was there when its snapshot was taken. */
  isSeen(transaction: Transaction, entry: Entry): boolean {
    return this.#seen(transaction, entry)?.row !== undefined;
  }

  #seen(transaction: Transaction, { versions }: Entry): Version | undefined {
    const last = versions.at(-1);
    if (last?.by === transaction && last.sequence === undefined) return last;
    const snapshot = transaction.snapshot ?? this.sequence;
    return versions.findLast(({ sequence }) => sequence !== undefined && sequence <= snapshot);
  }

  /** The latest that is committed, or its own. */
  latest(transaction: Transaction, { versions }: Entry): Row | undefined {
    const last = versions.at(-1);
    if (last?.by === transaction && last.sequence === undefined) return last.row;
    return versions.findLast(({ sequence }) => sequence !== undefined)?.row;
  }

  /** A version has become visible that the transaction does not see. */
  hasChanged(transaction: Transaction, { versions }: Entry): boolean {
    return this.#unseen(transaction, versions).some(({ sequence, by }) => by !== transaction && sequence !== undefined);
  }

  /** The versions at the end that are not in its snapshot. */
  #unseen({ snapshot = this.sequence }: Transaction, versions: readonly Version[]): readonly Version[] {
    return versions.slice(versions.findLastIndex(({ sequence }) => sequence !== undefined && sequence <= snapshot) + 1);
  }

  /** Undefined when the transaction has the lock now; else one that keeps it from that. */
  hold(transaction: Transaction, entry: Entry, strength: Strength = 'no key update'): Transaction | undefined {
    const [blocker] = blockers(transaction, entry, strength);
    if (blocker !== undefined) return blocker;
    if (isHeldAs(transaction, entry, strength)) return undefined;
    if (strength === 'key share') entry.keySharers = new Set(entry.keySharers).add(transaction);
    else entry.holder = transaction;
    if (strength === 'update') entry.isKeyHeld = true;
    transaction.holds.push({ entry, strength });
    return undefined;
  }

  /** Gives the last lock of the entry back, before the end of the transaction. */
  letGo(transaction: Transaction, entry: Entry): void {
    const at = transaction.holds.findLastIndex(hold => hold.entry === entry);
    for (const hold of transaction.holds.splice(at, 1)) this.#letGo(transaction, hold);
  }

  /** The transaction must hold the entry. */
  write(transaction: Transaction, entry: Entry, row: Row | undefined): void {
    this.idOf(transaction);
    this.#noteWrite(transaction, entry);
    const version: Version = { by: transaction, row, sequence: undefined };
    entry.versions.push(version);
    transaction.writes.push({ entry, version });
  }

  /** The number of a table or an index, which no other ever has. */
  newOid(): number {
    this.#serial += 1;
    return firstOid + this.#serial;
  }

  newKey(): string {
    this.#serial += 1;
    return String(this.#serial);
  }

  setSavepoint({ savepoints, writes, holds, locks }: Transaction, name: string, mark: Mark): void {
    savepoints.push({ name, writes: writes.length, holds: holds.length, locks: locks.length, mark });
  }

  rollbackTo(transaction: Transaction, name: string): void {
    const at = this.#savepoint(transaction, name);
    const savepoint = transaction.savepoints[at];
    transaction.savepoints.length = at + 1;
    if (savepoint !== undefined) this.#undo(transaction, savepoint);
  }

  #undo(transaction: Transaction, { writes, holds, locks, mark }: Savepoint): void {
    mark.undo();
    for (const written of transaction.writes.splice(writes)) takeOut(written);
    for (const hold of transaction.holds.splice(holds)) this.#letGo(transaction, hold);
    for (const lock of transaction.locks.splice(locks)) this.locks.release(lock);
  }

  /** A statement of it has failed: what was done since the last savepoint is undone at once, and its locks are free. */
  fail(transaction: Transaction, nowMs: number): void {
    const last = transaction.savepoints.at(-1);
    if (last === undefined) this.abort(transaction, nowMs);
    else this.#undo(transaction, last);
  }

  release(transaction: Transaction, name: string): void {
    const at = this.#savepoint(transaction, name);
    transaction.savepoints[at]?.mark.release();
    transaction.savepoints.length = at;
  }

  #savepoint(transaction: Transaction, name: string): number {
    const at = transaction.savepoints.findLastIndex(savepoint => savepoint.name === name);
    if (at === -1) throw problems.noSavepoint(name);
    return at;
  }

  /** @throws SqlError when it cannot be serialized; it is aborted then. */
  commit(transaction: Transaction, nowMs: number): LogRecord | undefined {
    if (transaction.isDoomed) {
      this.abort(transaction, nowMs);
      throw problems.dangerous();
    }
    transaction.state = 'committed';
    this.running.delete(transaction);
    this.sequence += 1;
    transaction.sequence = this.sequence;
    for (const pivot of transaction.before) giveWay(pivot);
    const last = new Map<Entry, Version>();
    for (const { entry, version } of transaction.writes) {
      version.sequence = this.sequence;
      last.set(entry, version);
    }
    for (const { entry, version } of transaction.writes) if (last.get(entry) !== version) takeOut({ entry, version });
    const writes = [...last].map(([{ table, key }, { row }]) => ({ table, key, row }));
    const record = this.#record(transaction, 'committed', writes, nowMs);
    this.#end(transaction);
    return record;
  }

  abort(transaction: Transaction, nowMs: number): void {
    if (transaction.state !== 'running') return;
    transaction.state = 'aborted';
    this.running.delete(transaction);
    for (const written of transaction.writes) takeOut(written);
    this.#record(transaction, 'aborted', [], nowMs);
    this.#end(transaction);
  }

  /** As a standby does, or a server that starts after a crash. */
  replay(record: LogRecord): void {
    const { id, outcome, writes } = record;
    this.log.push(record);
    if (id >= this.nextId) this.nextId = id + 1n;
    this.#outcomes.set(id, outcome);
    if (outcome === 'aborted') return;
    this.sequence += 1;
    for (const { table, key, row } of writes) {
      this.createTable(table);
      this.entry(table, key).versions.push({ by: undefined, row, sequence: this.sequence });
      this.#serial = Math.max(this.#serial, Number(key) || 0, Number(row?.oid ?? 0) - firstOid);
    }
  }

  /** Those that it waits for. */
  blockersOf(transaction: Transaction): readonly Transaction[] {
    return transaction.waitsFor?.() ?? none;
  }

  /** Those that keep it from a lock. */
  blockers(transaction: Transaction, entry: Entry, strength: Strength): readonly Transaction[] {
    return blockers(transaction, entry, strength);
  }

  /** Whether transactions wait for each other in a circle that `from` is part of. */
  isDeadlocked(from: Transaction): boolean {
    const seen = new Set<Transaction>();
    const left = [...this.blockersOf(from)];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (next === from) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      left.push(...this.blockersOf(next));
    }
    return false;
  }

  #record(
    transaction: Transaction,
    outcome: LogRecord['outcome'],
    writes: LogRecord['writes'],
    atMs: number,
  ): LogRecord | undefined {
    if (transaction.id === undefined) return undefined;
    this.#outcomes.set(transaction.id, outcome);
    this.#byId.delete(transaction.id);
    const record: LogRecord = { position: this.position + 1, id: transaction.id, outcome, writes, atMs };
    this.log.push(record);
    this.onLogged?.(record);
    return record;
  }

  #end(transaction: Transaction): void {
    for (const hold of transaction.holds.splice(0)) this.#letGo(transaction, hold);
    for (const lock of transaction.locks.splice(0)) this.locks.release(lock);
    if (transaction.isolation !== 'serializable') return;
    for (const { isolation } of this.running) if (isolation === 'serializable') return;
    for (const { readers } of this.#read) readers.clear();
    this.#read.clear();
    this.#scanners.clear();
  }

  #scannersOf(table: string): Set<Transaction> {
    const known = this.#scanners.get(table);
    if (known !== undefined) return known;
    const none = new Set<Transaction>();
    this.#scanners.set(table, none);
    return none;
  }

  /** The first of those who wait is next; it looks again for itself. */
  #letGo(transaction: Transaction, { entry, strength }: Hold): void {
    const kept = transaction.holds.filter(other => other.entry === entry).map(other => other.strength);
    if (strength === 'key share') entry.keySharers?.delete(transaction);
    else if (entry.holder === transaction) {
      entry.isKeyHeld = kept.includes('update');
      if (!entry.isKeyHeld && !kept.includes('no key update')) entry.holder = undefined;
    }
    for (const { admit } of entry.waiting.splice(0)) admit();
  }

  #noteRead(transaction: Transaction, entry: Entry): void {
    if (transaction.isolation !== 'serializable') return;
    entry.readers.add(transaction);
    this.#read.add(entry);
    for (const { by } of this.#unseen(transaction, entry.versions)) {
      if (by === undefined || by === transaction || by.isolation !== 'serializable') continue;
      this.#readPast(transaction, by);
    }
  }

  #noteWrite(transaction: Transaction, entry: Entry): void {
    if (transaction.isolation !== 'serializable') return;
    for (const reader of new Set([...entry.readers, ...this.#scannersOf(entry.table)])) {
      if (reader === transaction || reader.state === 'aborted') continue;
      const isBefore = reader.sequence !== undefined && reader.sequence <= (transaction.snapshot ?? this.sequence);
      if (!isBefore) this.#readPast(reader, transaction);
    }
  }

  /** `reader` comes before `writer`. */
  #readPast(reader: Transaction, writer: Transaction): void {
    reader.after.add(writer);
    writer.before.add(reader);
    giveWay(reader);
    giveWay(writer);
  }
}

const none: readonly Transaction[] = [];

/** Those that keep a transaction from a lock. */
function blockers(transaction: Transaction, entry: Entry, strength: Strength): readonly Transaction[] {
  const { holder, isKeyHeld, keySharers } = entry;
  const isHeld = holder !== undefined && holder !== transaction && (strength !== 'key share' || isKeyHeld);
  const holders = isHeld ? [holder] : none;
  if (strength !== 'update' || keySharers === undefined) return holders;
  return [...holders, ...[...keySharers].filter(sharer => sharer !== transaction)];
}

function isHeldAs(transaction: Transaction, entry: Entry, strength: Strength): boolean {
  if (strength === 'key share') return entry.keySharers?.has(transaction) === true;
  return entry.holder === transaction && (strength === 'no key update' || entry.isKeyHeld);
}

/**
 * One that comes after one transaction and before another that has committed first may close a circle (PostgreSQL, README-SSI):
 * it gives way, or, when it has committed, those that come before it do.
 */
function giveWay(pivot: Transaction): void {
  if (pivot.state === 'aborted') return;
  const first = Math.min(...[...pivot.after].map(({ sequence }) => sequence ?? Number.POSITIVE_INFINITY));
  const before = [...pivot.before].filter(({ state }) => state !== 'aborted');
  if (before.length === 0 || first === Number.POSITIVE_INFINITY) return;
  if (pivot.state === 'running') pivot.isDoomed = true;
  else if (first < (pivot.sequence ?? 0)) for (const each of before) if (each.state === 'running') each.isDoomed = true;
}

function takeOut({ entry, version }: Written): void {
  entry.versions = entry.versions.filter(each => each !== version);
}
