import type { Backend } from './backend.ts';
import {
  allTables,
  type ColumnDefinition,
  columnNamed,
  heapOf,
  type IndexDefinition,
  keysOf,
  lockTable,
  type TableDefinition,
} from './catalog.ts';
import { compared, momentText, readAs, typeNumber } from './column-types.ts';
import { type Slot, UnknownStatement } from './commands.ts';
import type { Answer } from './execute.ts';
import type { LockMode } from './lock-table.ts';
import { assertWritable, claim } from './locks.ts';
import type { Conditions, Given, HeapStatement } from './read-heap.ts';
import { problems, SqlError } from './sql-error.ts';
import type { Row, Store } from './store.ts';
import { type Column, typeNumbers } from './wire.ts';

type Value = (slot: Slot) => string | null;
type Of<Does extends HeapStatement['does']> = Extract<HeapStatement, { does: Does }>;
/** What a row has in each column; null for NULL. */
type Values = ReadonlyMap<ColumnDefinition, string | null>;

export async function executeOnHeap(on: Backend, statement: HeapStatement, value: Value): Promise<Answer> {
  const table = await openTable(on, statement);
  switch (statement.does) {
    case 'insert':
      return insert(on, table, statement, value);
    case 'select':
      return select(on, table, statement, value);
    case 'update':
      return update(on, table, statement, value);
    case 'delete': {
      assertWritable(on, 'DELETE');
      const deleted = await changeRows(on, table, conditions(table, statement.where, value), () => undefined);
      return { rows: [], tag: `DELETE ${deleted.length}` };
    }
  }
}

/** What its rows look like. @throws SqlError when the table or a column is not there */
export async function columnsOnHeap(on: Backend, statement: HeapStatement): Promise<readonly Column[]> {
  // As PostgreSQL, which sees what was there before the statement had to wait, unless the transaction is read committed.
  on.server.store.takeSnapshot(on.current());
  const table = await openTable(on, statement);
  if (statement.does === 'delete') return [];
  if (statement.does === 'select' && statement.columns === 'count') return [{ name: 'count', type: typeNumbers.int8 }];
  if (statement.does === 'select' && statement.columns === 'one') return [{ name: '?column?', type: typeNumbers.int4 }];
  return given(table, statement).map(({ name, type }) => ({ name, type: typeNumber(type) }));
}

/** Locks the table as the statement needs it, and looks for its columns. */
export async function openTable(on: Backend, statement: HeapStatement): Promise<TableDefinition> {
  const table = await lockTable(on, statement.table, modeOf(statement));
  for (const name of written(statement))
    if (columnNamed(table, name) === undefined)
      throw new SqlError('42703', `column "${name}" of relation "${table.name}" does not exist`);
  for (const name of read(statement)) columnOf(table, name);
  return table;
}

function modeOf(statement: HeapStatement): LockMode {
  if (statement.does !== 'select') return 'row exclusive';
  return statement.forUpdate ? 'row share' : 'access share';
}

function written(statement: HeapStatement): readonly string[] {
  if (statement.does === 'insert') return statement.columns ?? [];
  return statement.does === 'update' ? [...statement.set.keys()] : [];
}

function read(statement: HeapStatement): readonly string[] {
  if (statement.does === 'insert') return statement.returning;
  const inWhere = statement.where.map(({ column }) => column);
  if (statement.does === 'delete') return inWhere;
  if (statement.does === 'update') return [...inWhere, ...statement.returning];
  const { columns, order } = statement;
  const named = typeof columns === 'string' ? [] : columns;
  return [...inWhere, ...named.filter(name => name !== '*'), ...(order === undefined ? [] : [order.column])];
}

function columnOf(table: TableDefinition, name: string): ColumnDefinition {
  const column = columnNamed(table, name);
  if (column === undefined) throw new SqlError('42703', `column "${name}" does not exist`);
  return column;
}

/** The columns that it gives back. */
function given(table: TableDefinition, statement: Of<'insert' | 'update' | 'select'>): readonly ColumnDefinition[] {
  const { columns } = statement.does === 'select' ? statement : { columns: statement.returning };
  const names = typeof columns === 'string' ? [] : columns;
  return names.flatMap(name => (name === '*' ? table.columns : [columnOf(table, name)]));
}

async function insert(on: Backend, table: TableDefinition, statement: Of<'insert'>, value: Value): Promise<Answer> {
  assertWritable(on, 'INSERT');
  const inserted: Row[] = [];
  const targets = statement.columns?.map(name => columnOf(table, name)) ?? table.columns;
  for (const row of statement.rows) {
    if (row.length > targets.length) throw new SqlError('42601', 'INSERT has more expressions than target columns');
    const values = new Map<ColumnDefinition, string | null>();
    for (const [at, column] of targets.entries()) {
      const to = row[at] ?? { isDefault: true };
      if (!('isDefault' in to)) values.set(column, newValue(column, to, value));
    }
    inserted.push(await insertRow(on, table, values));
  }
  const columns = given(table, statement);
  return { rows: inserted.map(row => inOrder(row, columns)), tag: `INSERT 0 ${inserted.length}` };
}

/** Inserts a row; columns that are not given get what they have initially. */
export async function insertRow(on: Backend, table: TableDefinition, values: Values): Promise<Row> {
  const row: Record<string, string> = {};
  for (const column of table.columns) {
    const chosen = values.get(column);
    const text = chosen === undefined ? initially(on, table, column) : chosen;
    if (text !== null) row[column.number] = text;
  }
  await put(on, table, on.server.store.newKey(), undefined, row);
  return row;
}

/** The last number of each sequence, which no rollback takes back. */
const lastNumbers = new WeakMap<Store, Map<string, number>>();

function initially(on: Backend, table: TableDefinition, column: ColumnDefinition): string | null {
  const { initially: first } = column;
  if (first === undefined) return null;
  if (first.is === 'value') return first.text;
  if (first.is === 'now') return momentText(on.current().startedAtMs);
  const { store } = on.server;
  const numbers = lastNumbers.get(store) ?? new Map<string, number>();
  lastNumbers.set(store, numbers);
  const sequence = `${table.oid}.${column.number}`;
  const next = (numbers.get(sequence) ?? highest(on, table, column)) + 1;
  numbers.set(sequence, next);
  return String(next);
}

/** Where a server goes on after a crash. */
function highest(on: Backend, table: TableDefinition, { number }: ColumnDefinition): number {
  const numbers = [...on.server.store.stored(heapOf(on, table))].map(([, row]) => Number(row[number] ?? 0));
  return Math.max(0, ...numbers);
}

function newValue(column: ColumnDefinition, to: Given, value: Value): string | null {
  if ('isDefault' in to) return column.initially?.is === 'value' ? column.initially.text : null;
  if ('column' in to) throw new SqlError('42703', `column "${to.column}" does not exist`);
  const text = value(to);
  return text === null ? null : readAs(column.type, text);
}

function inOrder(row: Row, columns: readonly ColumnDefinition[]): (string | null)[] {
  return columns.map(({ number }) => row[number] ?? null);
}

/** Stores a row, and keeps what must be true of its table. */
async function put(on: Backend, table: TableDefinition, key: string, before: Row | undefined, row: Row): Promise<void> {
  assertAllowed(on, table, row);
  const { store } = on.server;
  const entry = store.entry(heapOf(on, table), key);
  await on.hold(entry);
  store.write(on.current(), entry, row);
  for (const index of table.indexes) {
    const now = keyIn(index, row);
    const former = before === undefined ? undefined : keyIn(index, before);
    if (!index.isUnique || now === former) continue;
    if (now !== undefined) await addKey(on, table, index, now, key);
    if (former !== undefined) await forgetKey(on, index, former);
  }
}

function assertAllowed(on: Backend, table: TableDefinition, row: Row): void {
  for (const { number, name, isRequired } of table.columns)
    if (isRequired && row[number] === undefined) throw problems.notNull(table.name, name);
  for (const { name, must } of table.checks) {
    const found = row[columnOf(table, must.column).number];
    if (found !== undefined && !holds(Number(found), must.operator, Number(must.number)))
      throw problems.check(table.name, name);
  }
  const refers = table.foreignKeys.some(({ columns }) => columns.every(number => row[number] !== undefined));
  if (refers || table.indexes.some(({ isDeferrable }) => isDeferrable)) throw new UnknownStatement(on.query);
}

function holds(left: number, operator: string, right: number): boolean {
  if (operator === '>=') return left >= right;
  if (operator === '<=') return left <= right;
  if (operator === '>') return left > right;
  if (operator === '<') return left < right;
  return operator === '=' ? left === right : left !== right;
}

/** Undefined for a row that is not in the way of others: NULL is not equal to NULL. */
function keyIn({ columns }: IndexDefinition, row: Row): string | undefined {
  const values = columns.map(number => row[number]);
  return values.includes(undefined) ? undefined : JSON.stringify(values);
}

async function addKey(
  on: Backend,
  table: TableDefinition,
  index: IndexDefinition,
  key: string,
  at: string,
): Promise<void> {
  const { store } = on.server;
  const entry = store.entry(keysOf(on, index), key);
  await on.hold(entry);
  // Of serializable transactions, PostgreSQL reports the conflict, and not what came of it.
  if (store.latest(on.current(), entry) !== undefined)
    throw on.current().isDoomed ? problems.dangerous() : problems.unique(table.name, index.name);
  store.write(on.current(), entry, { at });
}

async function forgetKey(on: Backend, index: IndexDefinition, key: string): Promise<void> {
  const { store } = on.server;
  const entry = store.entry(keysOf(on, index), key);
  await on.hold(entry);
  store.write(on.current(), entry, undefined);
}

/** Adds the rows that are there. @throws SqlError when two of them have one key of a unique index */
export async function buildIndex(on: Backend, table: TableDefinition, index: IndexDefinition): Promise<void> {
  if (!index.isUnique) return;
  const { store } = on.server;
  store.takeSnapshot(on.current());
  const seen = new Set<string>();
  for (const [at, row] of [...store.scan(on.current(), heapOf(on, table))]) {
    const key = keyIn(index, row);
    if (key === undefined) continue;
    if (seen.has(key)) throw notUnique(table.name, index.name);
    seen.add(key);
    const entry = store.entry(keysOf(on, index), key);
    await on.hold(entry);
    // One that was written while the index was built concurrently has its key already.
    if (store.latest(on.current(), entry) === undefined) store.write(on.current(), entry, { at });
  }
}

function notUnique(table: string, constraint: string): SqlError {
  const error = new SqlError('23505', `could not create unique index "${constraint}"`);
  error.named = { table, constraint };
  return error;
}

/** Says of a row whether it is meant. */
type IsMeant = (row: Row) => boolean;

function conditions(table: TableDefinition, where: Conditions, value: Value): IsMeant {
  const wanted = where.map(({ column: name, isOneOf }) => {
    const { number, type } = columnOf(table, name);
    const texts = isOneOf.map(value).filter(text => text !== null);
    return { number, values: new Set(texts.map(text => readAs(type, text))) };
  });
  return row => wanted.every(({ number, values }) => values.has(row[number] ?? '') && row[number] !== undefined);
}

/** All rows that the statement sees, by their places. */
export function scanRows(on: Backend, table: TableDefinition): readonly (readonly [key: string, row: Row])[] {
  return [...on.server.store.scan(on.current(), heapOf(on, table))];
}

async function select(on: Backend, table: TableDefinition, statement: Of<'select'>, value: Value): Promise<Answer> {
  const { where, order, limit, forUpdate, columns } = statement;
  if (forUpdate) assertWritable(on, 'SELECT FOR UPDATE');
  const isMeant = conditions(table, where, value);
  const found: Row[] = [];
  for (const [key, seen] of scanRows(on, table)) {
    if (!isMeant(seen)) continue;
    const row = forUpdate ? await claim(on, on.server.store.entry(heapOf(on, table), key)) : seen;
    if (row !== undefined && isMeant(row)) found.push(row);
  }
  if (columns === 'count') return { rows: [[String(found.length)]], tag: 'SELECT 1' };
  if (columns === 'one') return { rows: found.map(() => ['1']), tag: `SELECT ${found.length}` };
  if (order !== undefined) found.sort(byColumn(columnOf(table, order.column), order.isDown));
  const most = limit === undefined ? found.length : Number(value(limit) ?? found.length);
  const rows = found.slice(0, most).map(row => inOrder(row, given(table, statement)));
  return { rows, tag: `SELECT ${rows.length}` };
}

/** NULL comes last, or first when the order is down. */
function byColumn({ number, type }: ColumnDefinition, isDown: boolean): (one: Row, other: Row) => number {
  return (one, other) => {
    const [left, right] = [one[number], other[number]];
    const nulls = Number(left === undefined) - Number(right === undefined);
    const difference = left === undefined || right === undefined ? nulls : compared(type, left, right);
    return isDown ? -difference : difference;
  };
}

async function update(on: Backend, table: TableDefinition, statement: Of<'update'>, value: Value): Promise<Answer> {
  assertWritable(on, 'UPDATE');
  const isMeant = conditions(table, statement.where, value);
  const changed = await changeRows(on, table, isMeant, row => {
    const next: Record<string, string> = { ...row };
    for (const [name, to] of statement.set) {
      const column = columnOf(table, name);
      const text = 'column' in to ? sum(row[columnOf(table, to.column).number], to.plus) : newValue(column, to, value);
      if (text === null) delete next[column.number];
      else next[column.number] = readAs(column.type, text);
    }
    return next;
  });
  const columns = given(table, statement);
  return {
    rows: columns.length === 0 ? [] : changed.map(row => inOrder(row, columns)),
    tag: `UPDATE ${changed.length}`,
  };
}

function sum(text: string | undefined, plus: number): string | null {
  return text === undefined ? null : String(Number(text) + plus);
}

/** Changes each row that is meant, or deletes it; gives the rows as they are then, or were. */
export async function changeRows(
  on: Backend,
  table: TableDefinition,
  isMeant: IsMeant,
  to: (row: Row) => Row | undefined,
): Promise<readonly Row[]> {
  const { store } = on.server;
  const changed: Row[] = [];
  for (const [key, seen] of scanRows(on, table)) {
    if (!isMeant(seen)) continue;
    const entry = store.entry(heapOf(on, table), key);
    const row = await claim(on, entry);
    // Another transaction may have changed it meanwhile.
    if (row === undefined || !isMeant(row)) continue;
    assertNotReferenced(on, table);
    const next = to(row);
    changed.push(next ?? row);
    if (next !== undefined) {
      await put(on, table, key, row, next);
      continue;
    }
    for (const index of table.indexes) {
      const former = keyIn(index, row);
      if (index.isUnique && former !== undefined) await forgetKey(on, index, former);
    }
    store.write(on.current(), entry, undefined);
  }
  return changed;
}

/** What foreign keys do to the rows that refer to it is not known yet. */
function assertNotReferenced(on: Backend, { schema, name }: TableDefinition): void {
  const refers = allTables(on).some(({ foreignKeys }) =>
    foreignKeys.some(({ to }) => to.schema === schema && to.name === name),
  );
  if (refers) throw new UnknownStatement(on.query);
}
