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

/** Reads the table of migrations; one that is not there yet is not made. */
export async function appliedMigrations(connection: DriverConnection, tableName: string): Promise<AppliedMigration[]> {
  const table = qualified(tableName).map(quoted).join('.');
  const [found] = await rowsOf(connection, 'select to_regclass($1) is not null as found', [table]);
  if (found?.found !== true) return [];
  const sql = `select name, (extract(epoch from executed_at) * 1000)::float8 as at from ${table} order by id`;
  const rows = await rowsOf(connection, sql);
  return rows.map(({ name, at }) => ({ name: String(name).replace(/\.[jt]s$/, ''), at: new Date(Number(at)) }));
}

/** Schema and table, as MikroORM reads the name. */
export function qualified(tableName: string): [schema: string, table: string] {
  const [first = '', second] = tableName.split('.');
  return second === undefined ? ['public', first] : [first, second];
}

async function rowsOf(connection: DriverConnection, sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
  const { results, failure } = await connection.run([{ sql, parameters }]);
  if (failure !== undefined) throw failure.error;
  return results[0]?.rows ?? [];
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
