import type { DriverConnection, Row } from '../driver/driver.js';

export interface AppliedMigration {
  readonly name: string;
  readonly at: Date;
}

export interface MigrationStatus {
  /** In the order in which they were applied. */
  readonly applied: readonly AppliedMigration[];
  /** In the order in which they would run. */
  readonly pending: readonly string[];
  /** Applied, but not part of this version of the service: a newer one has migrated. */
  readonly unknown: readonly string[];
}

/** Runs one statement where the caller has its transaction, or none; rejects when it fails. */
export type Ask = (sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;

/** The table that remembers what is applied; MikroORM's own migrator reads and writes the same. */
export class MigrationTable {
  /** Schema and table, for the lock. */
  readonly name: string;
  readonly quotedSchema: string;
  /** Schema and table. */
  readonly quotedName: string;

  constructor(tableName: string) {
    const [schema, table] = qualified(tableName);
    this.name = `${schema}.${table}`;
    this.quotedSchema = quoted(schema);
    this.quotedName = `${this.quotedSchema}.${quoted(table)}`;
  }

  /** In the order in which they were applied. A table that is not there yet is not made. */
  async applied(ask: Ask): Promise<AppliedMigration[]> {
    if (!(await this.#isThere(ask))) return [];
    const sql = `select name, (extract(epoch from executed_at) * 1000)::float8 as at from ${this.quotedName} order by id`;
    const rows = await ask(sql);
    return rows.map(({ name, at }) => ({ name: String(name).replace(/\.[jt]s$/, ''), at: new Date(Number(at)) }));
  }

  /** Makes what is missing. Under the lock: two that make the same table at once hinder each other. */
  async make(ask: Ask): Promise<void> {
    if (await this.#isThere(ask)) return;
    const [found] = await ask('select to_regnamespace($1) is not null as found', [this.quotedSchema]);
    if (found?.found !== true) await ask(`create schema ${this.quotedSchema}`);
    await ask(
      `create table ${this.quotedName} (id serial primary key, name varchar(255) not null, executed_at timestamptz not null default current_timestamp)`,
    );
  }

  /** What notes `name` as applied, or takes the note back; with a condition, only where that holds. */
  noteOf(direction: 'up' | 'down', condition = 'true'): string {
    return direction === 'up'
      ? `insert into ${this.quotedName} (name) select $1::varchar where ${condition} returning id`
      : `delete from ${this.quotedName} where name in ($1::varchar, $1 || '.js', $1 || '.ts') and ${condition} returning id`;
  }

  async #isThere(ask: Ask): Promise<boolean> {
    const [found] = await ask('select to_regclass($1) is not null as found', [this.quotedName]);
    return found?.found === true;
  }
}

/** Asks over a connection of the driver. */
export function askOver(connection: DriverConnection): Ask {
  return async (sql, parameters = []) => {
    const { results, failure } = await connection.run([{ sql, parameters }]);
    if (failure !== undefined) throw failure.error;
    return results[0]?.rows ?? [];
  };
}

/** Schema and table, as MikroORM reads the name. */
export function qualified(tableName: string): [schema: string, table: string] {
  const [first = '', second] = tableName.split('.');
  return second === undefined ? ['public', first] : [first, second];
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
