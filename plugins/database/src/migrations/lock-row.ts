import { isMadeByAnother } from '../errors/sql-state.js';
import type { Ask, MigrationTable } from './migration-table.js';

/**
 * The lock of those who migrate a database without advisory locks: a row, locked by a transaction and free again with its
 * end. A caller that finds it locked gets no row and no error.
 */
export class LockRow {
  readonly #schema: string;
  readonly #table: string;

  /** Beside the table of the migrations. */
  constructor(migrations: Pick<MigrationTable, 'quotedSchema' | 'quotedName'>) {
    this.#schema = migrations.quotedSchema;
    this.#table = migrations.quotedName.replace(/"$/, '_lock"');
  }

  get statement(): string {
    return `select true as locked from ${this.#table} where id = 1 for update skip locked`;
  }

  /** Makes what is missing, outside of a transaction. Others may do the same at the same time. */
  async make(ask: Ask): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#makeTable(ask);
        await ask(
          `insert into ${this.#table} (id) select 1 where not exists (select from ${this.#table} where id = 1)`,
        );
        return;
      } catch (error) {
        if (attempt === attempts || !isMadeByAnother(error)) throw error;
      }
    }
  }

  async #makeTable(ask: Ask): Promise<void> {
    const [found] = await ask(
      'select to_regclass($1) is not null as "table", to_regnamespace($2) is not null as "schema"',
      [this.#table, this.#schema],
    );
    if (found?.schema !== true) await ask(`create schema if not exists ${this.#schema}`);
    if (found?.table !== true) await ask(`create table if not exists ${this.#table} (id int primary key)`);
  }
}

const attempts = 5;
