import type { Backend } from './backend.ts';
import type { ColumnType } from './column-types.ts';
import type { LockMode } from './lock-table.ts';
import type { Comparison, Initially, Named } from './read-ddl.ts';
import { problems, type SqlError } from './sql-error.ts';
import type { Entry, Row } from './store.ts';

export interface ColumnDefinition {
  /** Never given again, also after the column is dropped: the rows have their values under it. */
  readonly number: number;
  readonly name: string;
  readonly type: ColumnType;
  readonly isRequired: boolean;
  readonly initially: Initially | undefined;
}

export interface IndexDefinition {
  readonly oid: number;
  readonly name: string;
  /** The numbers of its columns. */
  readonly columns: readonly number[];
  readonly isUnique: boolean;
  readonly isPrimary: boolean;
  /** It was made for a constraint. */
  readonly isOfConstraint: boolean;
  readonly isDeferrable: boolean;
  readonly isDeferred: boolean;
  /** False while it is built concurrently. */
  readonly isValid: boolean;
}

export interface CheckDefinition {
  readonly name: string;
  readonly must: Comparison;
}

export interface ForeignKeyDefinition {
  readonly name: string;
  readonly columns: readonly number[];
  readonly to: Named;
  readonly toColumns: readonly string[];
}

export interface TableDefinition extends Named {
  readonly is: 'table';
  readonly oid: number;
  readonly columns: readonly ColumnDefinition[];
  readonly columnsEver: number;
  readonly indexes: readonly IndexDefinition[];
  readonly checks: readonly CheckDefinition[];
  readonly foreignKeys: readonly ForeignKeyDefinition[];
}

/** What has a name that no other may have: a table, or what was made with one. */
export type Relation =
  | TableDefinition
  | { readonly is: 'index' | 'sequence'; readonly schema: string; readonly name: string; readonly of: string }
  | { readonly is: 'schema'; readonly schema: string; readonly name: string };

/** Has a row for each relation. As each catalog, it is read as it is now, whatever the snapshot of the transaction. */
const catalog = 'pg_class';
const schemas = 'pg_namespace';

const read = new WeakMap<Row, Relation>();

function definition(row: Row): Relation {
  const before = read.get(row);
  if (before !== undefined) return before;
  const relation: Relation = JSON.parse(row.definition ?? '');
  read.set(row, relation);
  return relation;
}

function rowOf(relation: Relation): Row {
  const oids = relation.is === 'table' ? [relation.oid, ...relation.indexes.map(({ oid }) => oid)] : [0];
  return { definition: JSON.stringify(relation), oid: String(Math.max(...oids)) };
}

function keyOf({ schema, name }: Named): string {
  return `${schema}.${name}`;
}

function entryOf(on: Backend, named: Named): Entry {
  const { store } = on.server;
  store.createTable(catalog);
  return store.entry(catalog, keyOf(named));
}

export function find(on: Backend, named: Named): Relation | undefined {
  const row = on.server.store.latest(on.current(), entryOf(on, named));
  return row === undefined ? undefined : definition(row);
}

/** Also one that the server was made with. */
export function isTaken(on: Backend, named: Named): boolean {
  const isMadeWith = on.server.tableNames.some(({ schema, name }) => schema === named.schema && name === named.name);
  return isMadeWith || find(on, named) !== undefined;
}

export function findTable(on: Backend, named: Named): TableDefinition | undefined {
  const found = find(on, named);
  return found?.is === 'table' ? found : undefined;
}

/** All tables, by their names. */
export function allTables(on: Backend): readonly TableDefinition[] {
  const relations = [...on.server.store.latestRows(on.current(), catalog)].map(definition);
  const tables = relations.filter(relation => relation.is === 'table');
  return tables.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

export function hasSchema(on: Backend, name: string): boolean {
  if (name === 'public' || name.startsWith('pg_')) return true;
  const { store } = on.server;
  store.createTable(schemas);
  return store.latest(on.current(), store.entry(schemas, name)) !== undefined;
}

export async function addSchema(on: Backend, name: string): Promise<void> {
  const { store } = on.server;
  store.createTable(schemas);
  const entry = store.entry(schemas, name);
  await on.hold(entry);
  if (store.latest(on.current(), entry) !== undefined)
    throw takenMeanwhile('pg_namespace', 'pg_namespace_nspname_index');
  store.write(on.current(), entry, { name });
}

/** @throws SqlError when another transaction has given the name meanwhile. */
export async function add(on: Backend, relation: Relation): Promise<void> {
  const entry = entryOf(on, relation);
  await on.hold(entry);
  const { store } = on.server;
  if (store.latest(on.current(), entry) !== undefined)
    throw relation.is === 'table'
      ? takenMeanwhile('pg_type', 'pg_type_typname_nsp_index')
      : takenMeanwhile('pg_class', 'pg_class_relname_nsp_index');
  store.write(on.current(), entry, rowOf(relation));
}

export async function change(on: Backend, table: TableDefinition): Promise<void> {
  const entry = entryOf(on, table);
  await on.hold(entry);
  on.server.store.write(on.current(), entry, rowOf(table));
}

export async function remove(on: Backend, named: Named): Promise<void> {
  const entry = entryOf(on, named);
  await on.hold(entry);
  on.server.store.write(on.current(), entry, undefined);
}

function takenMeanwhile(table: string, constraint: string): SqlError {
  const error = problems.unique(table, constraint);
  error.named = { ...error.named, schema: 'pg_catalog' };
  return error;
}

/**
 * The table as it is once it is locked: another transaction may have changed it, dropped it, or made it again meanwhile.
 * @throws SqlError when it is not there
 */
export async function lockTable(
  on: Backend,
  named: Named,
  mode: LockMode,
  missing: (name: string) => SqlError = problems.noTable,
): Promise<TableDefinition> {
  for (;;) {
    const before = findTable(on, named);
    if (before === undefined) throw missing(named.isQualified === true ? keyOf(named) : named.name);
    await on.lock(lockName(before), mode);
    const table = findTable(on, named);
    if (table?.oid === before.oid) return table;
  }
}

export function lockName({ oid }: { readonly oid: number }): string {
  return `relation ${oid}`;
}

/** Where the rows of a table are. */
export function heapOf(on: Backend, { oid }: TableDefinition): string {
  const name = `heap ${oid}`;
  on.server.store.createTable(name);
  return name;
}

/** Where the keys of an index are, each with the place of its row. */
export function keysOf(on: Backend, { oid }: IndexDefinition): string {
  const name = `index ${oid}`;
  on.server.store.createTable(name);
  return name;
}

export function columnNamed(table: TableDefinition, name: string): ColumnDefinition | undefined {
  return table.columns.find(column => column.name === name);
}

export function namesOf(table: TableDefinition, numbers: readonly number[]): readonly string[] {
  return numbers.map(number => table.columns.find(column => column.number === number)?.name ?? '');
}
