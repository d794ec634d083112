import { type Clock, Deadline } from '@keelson/core';
import type { Migration } from '@mikro-orm/migrations';
import { CompiledQuery } from 'kysely';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver, DriverConnection, Row } from '../driver/driver.js';
import type { DatabaseCapability } from '../driver/engine.js';
import { sqlStateOf } from '../errors/sql-state.js';
import type { MigrationClass } from '../model.js';
import { type DirectOptions, withDirectConnections } from '../orm/direct-connections.js';
import type { Orm } from '../orm/orm.js';
import { LockRow } from './lock-row.js';
import { migrationFailed, needsTwoConnections, type Remains, waitedTooLong } from './migration-errors.js';
import { HeldLock, lockStatement } from './migration-lock.js';
import { MigrationMark } from './migration-mark.js';
import { type Ask, askOver, type MigrationTable } from './migration-table.js';
import { SharedTransaction } from './shared-transaction.js';

export interface MigrationRunParts {
  readonly orm: Orm;
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly classes: ReadonlyMap<string, MigrationClass>;
  readonly table: MigrationTable;
  readonly timeoutMs: number;
  readonly direction: 'up' | 'down';
  /** What is to be run, in order, where `applied` is applied. Asked under the lock, each time it was taken. */
  readonly choose: (applied: readonly string[], done: readonly string[]) => readonly string[];
}

/** A transaction as MikroORM knows it. */
type Context = Parameters<Parameters<ReturnType<Orm['em']['getConnection']>['transactional']>[0]>[0];

const pauseMs = 100;

/**
 * Set to the time left, for a migration outside of a transaction: CREATE INDEX CONCURRENTLY waits for the transactions of
 * others, perhaps longer than the usual limits.
 */
const limits = ['statement_timeout', 'lock_timeout'] as const;

/** The server has ended a statement, or a pause, whose time was over. */
const endings = new Set(['57014', '25P03']);

/** The mark of a connection whose client is gone without a sign stays until it ends. From PostgreSQL 14 on. */
const setIdleLimit = (to: string) =>
  `select set_config(name, ${to}, false) from pg_settings where name = 'idle_session_timeout'`;

/**
 * One run of migrations, each as it wants to run, in order: those that follow each other and run in a transaction share
 * one, so that all of them are stored or none; the others run one by one, outside of any. What is applied is read again
 * under the lock, before anything is done.
 */
export class MigrationRun {
  readonly #parts: MigrationRunParts;
  readonly #lock: string;
  /** In place of advisory locks. */
  readonly #lockRow: LockRow | undefined;
  readonly #mark: MigrationMark;
  readonly #deadline: Deadline;
  readonly #done: string[] = [];
  #running: string | undefined;
  #remains: Remains = { is: 'nothing' };

  constructor(parts: MigrationRunParts) {
    this.#parts = parts;
    this.#lockRow = this.#able('session-locks') || !this.#hasOthers ? undefined : new LockRow(parts.table);
    this.#lock = this.#lockRow?.statement ?? lockStatement(parts.driver.databaseName, parts.table.name);
    this.#mark = new MigrationMark(parts.driver.databaseName, parts.table.name);
    this.#deadline = Deadline.after(parts.timeoutMs, parts.clock);
  }

  /** @throws KeelsonError DATABASE_MIGRATION_FAILED, which says what is stored. */
  async run(): Promise<readonly string[]> {
    try {
      await this.#makeLockRow();
      while (await this.#together()) await this.#apart();
      return this.#done;
    } catch (error) {
      throw migrationFailed({ migration: this.#running, remains: this.#remains, done: this.#done, error });
    }
  }

  /** Runs what comes first and runs in a transaction; true when something is left that does not. */
  #together(): Promise<boolean> {
    return this.#whenFree(async () => {
      const shared = new SharedTransaction(this.#parts);
      try {
        const left = await this.#transaction(shared);
        this.#finished(...shared.names);
        return left;
      } catch (error) {
        const outcome = await shared.outcome(error);
        if (outcome.is !== 'done') {
          this.#remains = outcome;
          throw error;
        }
        this.#finished(...shared.names);
        return undefined;
      }
    });
  }

  /** True when one is left that runs outside of it; undefined when another has the lock. */
  #transaction(shared: SharedTransaction): Promise<boolean | undefined> {
    const onStatement = (sql: string) => shared.onStatement(sql);
    return this.#direct({ onStatement }, () =>
      this.#parts.orm.em.getConnection().transactional(async context => {
        const ask = askIn(context);
        if (!(await this.#isFirst(ask))) return undefined;
        const chosen = await this.#chosen(ask);
        if (chosen.length === 0) return false;
        this.#assertConnections(chosen);
        await this.#parts.table.make(ask);
        for (const name of chosen) {
          const migration = this.#migration(name);
          if (this.#runsApart(migration)) break;
          this.#running = name;
          migration.setTransactionContext(context);
          await shared.add(name, ask, () => this.#execute(migration, context));
        }
        shared.isEnding = true;
        return shared.names.length < chosen.length;
      }),
    );
  }

  /** Runs the next one that runs in no transaction, when there still is one. */
  async #apart(): Promise<void> {
    const held = this.#hasOthers ? await this.#hold() : undefined;
    const lock = { held };
    try {
      const work = await borrowWithin(this.#parts, { deadline: this.#deadline });
      try {
        const ask = askOver(work);
        const [name] = (await this.#isMarked(ask)) ? [] : await this.#chosen(ask);
        if (name !== undefined && this.#runsApart(this.#migration(name))) await this.#runApart(name, work, lock);
      } finally {
        work.release();
      }
    } finally {
      await lock.held?.end();
    }
  }

  async #runApart(name: string, work: DriverConnection, lock: { held: HeldLock | undefined }): Promise<void> {
    const migration = this.#migration(name);
    this.#running = name;
    const ask = askOver(work);
    // What is set for a connection must be of this connection alone.
    const keepsState = this.#able('session-state');
    const set = keepsState && this.#able('server-timeouts') ? limits : [];
    for (const limit of set) await ask(`set ${limit} = ${this.#leftMs}`);
    if (set.length > 0) await ask(setIdleLimit(`'${this.#leftMs}'`));
    const marked = keepsState && this.#able('session-locks') && (await this.#mark.put(work));
    try {
      const mayGoOn = () => this.#keep(name, work, lock);
      if (await this.#direct({ on: work }, () => this.#executeApart(migration, mayGoOn))) {
        this.#remains = { is: 'whole', isNoted: 'no' };
        await this.#note(name, work, lock);
      }
    } finally {
      if (work.status !== 'idle') await work.run([{ sql: 'rollback' }]);
      const resets = set.length > 0 ? [...set.map(limit => `reset ${limit}`), setIdleLimit('reset_val')] : [];
      const after = [...(marked ? [this.#mark.away] : []), ...resets];
      if (after.length > 0) await work.run(after.map(sql => ({ sql })));
    }
    this.#finished();
  }

  /**
   * Takes the lock again when it was lost; that may have to wait for another instance. False when that one has done all
   * of `name` meanwhile.
   */
  async #keep(name: string, work: DriverConnection, lock: { held: HeldLock | undefined }): Promise<boolean> {
    if (lock.held === undefined || (await lock.held.isHeld())) return true;
    await lock.held.end();
    lock.held = undefined;
    lock.held = await this.#hold();
    const chosen = await this.#chosen(askOver(work));
    return chosen[0] === name;
  }

  async #note(name: string, work: DriverConnection, lock: { held: HeldLock | undefined }): Promise<void> {
    const note = { sql: this.#parts.table.noteOf(this.#parts.direction), parameters: [name] };
    if (!this.#hasOthers) await askOver(work)(note.sql, note.parameters);
    // When it is not known whether it was noted, it is looked up under the lock.
    while (this.#hasOthers && (await this.#keep(name, work, lock))) {
      this.#remains = { is: 'whole', isNoted: 'no' };
      const finished = await lock.held?.finish(note);
      if (finished === 'done') break;
      if (finished === 'unknown') this.#remains = { is: 'whole', isNoted: 'unknown' };
    }
    this.#finished(name);
  }

  #hold(): Promise<HeldLock> {
    return this.#whenFree(() => HeldLock.take(this.#parts, this.#lock, this.#deadline));
  }

  async #execute(migration: Migration, context: Context): Promise<void> {
    await migration[this.#parts.direction]();
    for (const query of migration.getQueries()) await this.#send(query, context);
  }

  /** False when `mayGoOn` has said so before a statement. */
  async #executeApart(migration: Migration, mayGoOn: () => Promise<boolean>): Promise<boolean> {
    this.#remains = { is: 'in part', at: undefined };
    await migration[this.#parts.direction]();
    const queries = migration.getQueries();
    for (const [index, query] of queries.entries()) {
      const place = { statement: index + 1, statements: queries.length };
      this.#remains = { is: 'in part', at: { ...place, sent: false } };
      if (!(await mayGoOn())) return false;
      this.#remains = { is: 'in part', at: { ...place, sent: true } };
      await this.#send(query, undefined);
    }
    return true;
  }

  #send(query: ReturnType<Migration['getQueries']>[number], context: Context | undefined): Promise<unknown> {
    return this.#parts.orm.em.getDriver().execute(query, undefined, 'all', context);
  }

  #finished(...names: readonly string[]): void {
    this.#done.push(...names);
    this.#running = undefined;
    this.#remains = { is: 'nothing' };
  }

  async #isFirst(ask: Ask): Promise<boolean> {
    if (!this.#hasOthers) return true;
    const [row] = await ask(this.#lock);
    return row?.locked === true && !(await this.#isMarked(ask));
  }

  #assertConnections(chosen: readonly string[]): void {
    if (!this.#hasOthers || this.#parts.driver.stats().max > 1) return;
    const apart = chosen.find(name => this.#runsApart(this.#migration(name)));
    if (apart !== undefined) throw needsTwoConnections(apart);
  }

  async #chosen(ask: Ask): Promise<readonly string[]> {
    const applied = await this.#parts.table.applied(ask);
    return this.#parts.choose(
      applied.map(({ name }) => name),
      this.#done,
    );
  }

  #migration(name: string): Migration {
    const { classes, orm } = this.#parts;
    const Chosen = classes.get(name);
    if (Chosen === undefined) throw new Error(`bug: there is no migration ${name}`);
    return new Chosen(orm.em.getDriver(), orm.config);
  }

  /** Tries until the lock is free. */
  async #whenFree<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    const { clock, timeoutMs } = this.#parts;
    for (let hasWaited = false; ; hasWaited = true) {
      const result = await attempt().catch((error: unknown) => {
        // The server ends a last attempt that had only a moment left.
        const isEnded = hasWaited && this.#running === undefined && endings.has(sqlStateOf(error) ?? '');
        const isTooLate = isEnded && this.#deadline.passed;
        throw isTooLate ? waitedTooLong(timeoutMs, this.#done) : error;
      });
      if (result !== undefined) return result;
      if (this.#deadline.passed) throw waitedTooLong(timeoutMs, this.#done);
      await clock.sleep(pauseMs);
    }
  }

  #direct<T>(options: Omit<DirectOptions, 'timeoutMs'>, work: () => Promise<T>): Promise<T> {
    return withDirectConnections({ timeoutMs: this.#leftMs, ...options }, work);
  }

  get #leftMs(): number {
    return Math.max(1, Math.ceil(this.#deadline.remainingMs()));
  }

  /** Where a rollback does not undo DDL, a transaction would promise what it does not keep. */
  #runsApart(migration: Migration): boolean {
    return !this.#able('transactional-ddl') || !migration.isTransactional();
  }

  async #isMarked(ask: Ask): Promise<boolean> {
    return this.#able('session-locks') && (await this.#mark.isPut(ask));
  }

  async #makeLockRow(): Promise<void> {
    if (this.#lockRow === undefined) return;
    const connection = await borrowWithin(this.#parts, { deadline: this.#deadline });
    try {
      await this.#lockRow.make(askOver(connection));
    } finally {
      connection.release();
    }
  }

  #able(capability: DatabaseCapability): boolean {
    return this.#parts.driver.capabilities.has(capability);
  }

  /** A driver with a single connection has no others to wait for. */
  get #hasOthers(): boolean {
    return this.#able('multi-connection');
  }
}

function askIn(context: Context): Ask {
  return async (sql, parameters = []) => {
    const { rows } = await context.executeQuery<Row>(CompiledQuery.raw(sql, [...parameters]));
    return rows;
  };
}
