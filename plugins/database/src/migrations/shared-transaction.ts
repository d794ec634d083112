import { type Clock, Deadline } from '@keelson/core';
import { borrowWithin } from '../driver/bounded-loan.js';
import type { DatabaseDriver } from '../driver/driver.js';
import { isDefiniteRefusal } from '../errors/sql-state.js';
import { mayEndTransaction } from '../transaction/transaction-commands.js';
import { type Remains, TransactionEndedError } from './migration-errors.js';
import { type Ask, askOver, type MigrationTable } from './migration-table.js';

export interface SharedTransactionParts {
  readonly driver: DatabaseDriver;
  readonly clock: Clock;
  readonly table: MigrationTable;
  readonly direction: 'up' | 'down';
}

const pauseMs = 100;
/** After the end of the run's own time, too: its error is to say what is stored. */
const outcomeWithinMs = 5_000;

/** The transaction in which migrations are done and noted together. */
export class SharedTransaction {
  readonly #parts: SharedTransactionParts;
  readonly #names: string[] = [];
  /** COMMIT is next, or was sent. */
  isEnding = false;
  /** With this the server can be asked for its outcome. */
  #id: string | undefined;
  #isMigrating = false;
  #isBegun = false;
  /** A migration may have ended it by hand. */
  #mayHaveEnded = false;

  constructor(parts: SharedTransactionParts) {
    this.#parts = parts;
  }

  /** What was done and noted in it. */
  get names(): readonly string[] {
    return this.#names;
  }

  async add(name: string, ask: Ask, execute: () => Promise<unknown>): Promise<void> {
    const { table, direction } = this.#parts;
    const { driver } = this.#parts;
    if (hasIds(driver)) this.#id ??= await idOf(ask);
    else if (this.#names.length === 0) await ask(`select set_config('${setting}', '${settingValue}', true)`);
    this.#isMigrating = true;
    this.#isBegun = true;
    await execute().finally(() => {
      this.#isMigrating = false;
    });
    // Nothing is noted in another transaction than the one it was done in: it may have ended that by itself.
    const isTheSame =
      this.#id === undefined ? `current_setting('${setting}', true) = $2` : 'pg_current_xact_id()::text = $2';
    const noted = await ask(table.noteOf(direction, isTheSame), [name, this.#id ?? settingValue]);
    if (noted.length === 0) {
      this.#mayHaveEnded = true;
      throw new TransactionEndedError();
    }
    this.#names.push(name);
  }

  /** To be called with each statement before it is sent. */
  onStatement(sql: string): void {
    this.#mayHaveEnded ||= this.#isMigrating && mayEndTransaction(sql);
  }

  /**
   * What became of it, once it has failed. Only a COMMIT stores anything: before one was sent, nothing is stored, whatever
   * the network does; after that, or when a migration may have sent one of its own, the server has to say.
   */
  async outcome(error: unknown): Promise<Remains | { readonly is: 'done' }> {
    const isInDoubt = this.isEnding && !isDefiniteRefusal(error);
    if (!this.#isBegun || !(isInDoubt || this.#mayHaveEnded)) return { is: 'nothing' };
    try {
      return this.#id === undefined ? await this.#lookWithoutId(isInDoubt) : await this.#look(this.#id, isInDoubt);
    } catch {
      return { is: 'unknown' };
    }
  }

  /** That nothing is noted says nothing: the transaction may still be on its way. */
  async #lookWithoutId(isInDoubt: boolean): Promise<Remains | { readonly is: 'done' }> {
    if (!isInDoubt) return { is: 'unknown' };
    const deadline = Deadline.after(outcomeWithinMs, this.#parts.clock);
    const connection = await borrowWithin(this.#parts, { deadline, graceMs: 0 });
    try {
      return { is: (await this.#isNoted(askOver(connection))) ? 'done' : 'unknown' };
    } finally {
      connection.release();
    }
  }

  async #look(id: string, isInDoubt: boolean): Promise<Remains | { readonly is: 'done' }> {
    const { clock } = this.#parts;
    const deadline = Deadline.after(outcomeWithinMs, clock);
    const connection = await borrowWithin(this.#parts, { deadline, graceMs: 0 });
    try {
      const ask = askOver(connection);
      let status = await statusOf(id, ask);
      for (; status === 'in progress'; status = await statusOf(id, ask)) {
        if (deadline.passed) return { is: 'unknown' };
        await clock.sleep(pauseMs);
      }
      // The answer about an id is not to be believed after a crash, but what the table says is.
      if (isInDoubt) return { is: (await this.#isNoted(ask)) ? 'done' : 'nothing' };
      return { is: status === 'committed' ? 'up to its own commit' : 'nothing' };
    } finally {
      connection.release();
    }
  }

  async #isNoted(ask: Ask): Promise<boolean> {
    const { table, direction } = this.#parts;
    const applied = new Set((await table.applied(ask)).map(({ name }) => name));
    return this.#names.every(name => applied.has(name) === (direction === 'up'));
  }
}

/** A database with one connection is PostgreSQL in this process: its ids are of its transactions, though no other connection could ask. */
function hasIds({ capabilities }: DatabaseDriver): boolean {
  return capabilities.has('commit-lookup') || !capabilities.has('multi-connection');
}

/** Set for one transaction, where it has no id: gone when it has ended. */
const setting = 'keelson.migration';
const settingValue = 'runs';

async function idOf(ask: Ask): Promise<string> {
  const [row] = await ask('select pg_current_xact_id()::text as id');
  return String(row?.id);
}

async function statusOf(id: string, ask: Ask): Promise<unknown> {
  const [row] = await ask('select pg_xact_status($1::text::xid8) as status', [id]);
  return row?.status;
}
