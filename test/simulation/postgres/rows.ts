import type { Backend } from './backend.ts';
import type { Slot } from './commands.ts';
import type { Answer } from './execute.ts';
import { assertWritable, claim } from './locks.ts';
import type { Conditions, Given, RowStatement } from './read-sql.ts';
import { problems, SqlError } from './sql-error.ts';
import type { Row, Store } from './store.ts';
import { type Column, typeNumbers } from './wire.ts';

interface Kind {
  readonly type: number;
  /** Undefined: it needs a value. */
  readonly initially?: string;
  /** The name of the constraint. */
  readonly unique?: string;
  readonly notNegative?: string;
}

const { text, int4 } = typeNumbers;

/** Tables with columns, of which `id` counts up. Others can only be emptied. */
const tables: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  conformance_account: {
    id: { type: int4, initially: 'next' },
    email: { type: text, unique: 'conformance_account_email' },
    balance: { type: int4, initially: '0', notNegative: 'conformance_account_balance' },
  },
};

const emptied = ['conformance_booking', 'conformance_note', 'conformance_note_readers'];

/** What a server must have been made with to run these statements. */
export const rowTables: readonly string[] = [
  ...emptied,
  ...Object.entries(tables).flatMap(([table, columns]) => [
    table,
    ...Object.keys(columns).map(name => indexOf(table, name)),
  ]),
];

/** A table of the values of a column, each with the id of its row. */
function indexOf(table: string, column: string): string {
  return `${table}.${column}`;
}

/** Whether the tables and columns of the statement are there. */
export function isKnown(statement: RowStatement): boolean {
  if (statement.does === 'truncate') return statement.tables.every(name => name in tables || emptied.includes(name));
  const columns = tables[statement.table];
  return columns !== undefined && namesIn(statement).every(name => name === '*' || name in columns);
}

function namesIn(statement: Exclude<RowStatement, { does: 'truncate' }>): readonly string[] {
  if (statement.does === 'insert') return [...statement.rows.flatMap(row => [...row.keys()]), ...statement.returning];
  const inWhere = statement.where.map(({ column }) => column);
  if (statement.does === 'delete') return inWhere;
  if (statement.does === 'update') return [...inWhere, ...statement.set.keys(), ...statement.returning];
  const { columns = [], order } = statement;
  return [...inWhere, ...columns, ...(order === undefined ? [] : [order.column])];
}

const described = new WeakMap<RowStatement, readonly Column[]>();

export function columnsOfRows(statement: RowStatement): readonly Column[] {
  const before = described.get(statement);
  if (before !== undefined) return before;
  const columns = describe(statement);
  described.set(statement, columns);
  return columns;
}

function describe(statement: RowStatement): readonly Column[] {
  if (statement.does === 'delete' || statement.does === 'truncate') return [];
  if (statement.does === 'select' && statement.columns === undefined)
    return [{ name: 'count', type: typeNumbers.int8 }];
  return namesGiven(statement).map(name => ({ name, type: tables[statement.table]?.[name]?.type ?? text }));
}

function namesGiven(statement: Extract<RowStatement, { does: 'insert' | 'update' | 'select' }>): readonly string[] {
  const names = statement.does === 'select' ? (statement.columns ?? []) : statement.returning;
  return names.flatMap(name => (name === '*' ? Object.keys(tables[statement.table] ?? {}) : [name]));
}

type Value = (slot: Slot) => string | null;

export async function executeRows(on: Backend, statement: RowStatement, value: Value): Promise<Answer> {
  switch (statement.does) {
    case 'insert':
      return insert(on, statement, value);
    case 'select':
      return select(on, statement, value);
    case 'update':
      return update(on, statement, value);
    case 'delete': {
      assertWritable(on, 'DELETE');
      const count = await change(on, statement, value, () => undefined);
      return { rows: [], tag: `DELETE ${count.length}` };
    }
    case 'truncate': {
      assertWritable(on, 'TRUNCATE');
      for (const table of statement.tables) {
        await change(on, { table, where: [] }, value, () => undefined);
        counters(on.server.store).delete(table);
      }
      return { rows: [], tag: 'TRUNCATE TABLE' };
    }
  }
}

async function insert(
  on: Backend,
  statement: Extract<RowStatement, { does: 'insert' }>,
  value: Value,
): Promise<Answer> {
  assertWritable(on, 'INSERT');
  const { table } = statement;
  const inserted: Row[] = [];
  for (const given of statement.rows) {
    const row: Record<string, string> = {};
    // PostgreSQL reads all values before it looks for missing ones.
    for (const [name, to] of given) if (!('isDefault' in to)) row[name] = stored(to, value, table, name, {});
    for (const [name, kind] of Object.entries(tables[table] ?? {})) row[name] ??= initially(on, table, name, kind);
    inserted.push(await put(on, table, undefined, row));
  }
  return {
    rows: inserted.map(row => namesGiven(statement).map(name => row[name] ?? null)).filter(row => row.length > 0),
    tag: `INSERT 0 ${inserted.length}`,
  };
}

/** The last id of each table. */
const lastIds = new WeakMap<Store, Map<string, number>>();

function counters(store: Store): Map<string, number> {
  const known = lastIds.get(store);
  if (known !== undefined) return known;
  const none = new Map<string, number>();
  lastIds.set(store, none);
  return none;
}

function initially(on: Backend, table: string, name: string, { initially: first }: Kind): string {
  if (first === undefined) throw problems.notNull(table, name);
  if (first !== 'next') return first;
  const counted = counters(on.server.store);
  const next = (counted.get(table) ?? 0) + 1;
  counted.set(table, next);
  return String(next);
}

function stored(given: Given, value: Value, table: string, name: string, row: Row): string {
  if ('isDefault' in given) return tables[table]?.[name]?.initially ?? '';
  if ('column' in given) return String(Number(row[given.column]) + given.plus);
  const found = value(given);
  if (found === null) throw problems.notNull(table, name);
  if (tables[table]?.[name]?.type === int4 && !/^-?\d+$/.test(found))
    throw new SqlError('22P02', `invalid input syntax for type integer: "${found}"`);
  return found;
}

/** Stores a row, and keeps what must be true of its columns. */
async function put(on: Backend, table: string, before: Row | undefined, row: Row): Promise<Row> {
  const { store } = on.server;
  const transaction = on.current();
  const id = row.id ?? '';
  const columns = Object.entries(tables[table] ?? {});
  for (const [name, { notNegative }] of columns)
    if (notNegative !== undefined && Number(row[name]) < 0) throw problems.check(table, notNegative);
  const entry = store.entry(table, id);
  await on.hold(entry);
  if (before === undefined && store.latest(transaction, entry) !== undefined) throw problems.unique(table);
  store.write(transaction, entry, row);
  for (const [name, { unique }] of columns) {
    const now = row[name] ?? '';
    if (unique === undefined || before?.[name] === now) continue;
    const index = store.entry(indexOf(table, name), now);
    await on.hold(index);
    // Of serializable transactions, PostgreSQL reports the conflict, and not what came of it.
    if (store.latest(transaction, index) !== undefined)
      throw transaction.isDoomed ? problems.dangerous() : problems.unique(table, unique);
    store.write(transaction, index, { id });
    if (before !== undefined) await forgetValue(on, indexOf(table, name), before[name] ?? '');
  }
  return row;
}

async function forgetValue(on: Backend, index: string, value: string): Promise<void> {
  const { store } = on.server;
  const entry = store.entry(index, value);
  await on.hold(entry);
  store.write(on.current(), entry, undefined);
}

function isMeant(row: Row, where: Conditions, value: Value): boolean {
  return where.every(
    ({ column, isOneOf, isNot }) => isOneOf.some(slot => value(slot) === row[column]) !== (isNot === true),
  );
}

async function select(
  on: Backend,
  statement: Extract<RowStatement, { does: 'select' }>,
  value: Value,
): Promise<Answer> {
  const { store } = on.server;
  const { table, where, order, limit, forUpdate, columns } = statement;
  if (forUpdate) assertWritable(on, 'SELECT FOR UPDATE');
  const seen = [...store.scan(on.current(), table)].filter(([, row]) => isMeant(row, where, value));
  let found: Row[] = seen.map(([, row]) => row);
  if (forUpdate) {
    found = [];
    for (const [id] of seen) {
      const row = await claim(on, store.entry(table, id));
      if (row !== undefined && isMeant(row, where, value)) found.push(row);
    }
  }
  if (columns === undefined) return { rows: [[String(found.length)]], tag: 'SELECT 1' };
  if (order !== undefined) found.sort((one, other) => compared(table, order, one, other));
  const most = limit === undefined ? found.length : Number(value(limit) ?? found.length);
  const given = found.slice(0, most).map(row => namesGiven(statement).map(name => row[name] ?? null));
  return { rows: given, tag: `SELECT ${given.length}` };
}

function compared(
  table: string,
  { column, isDown }: { readonly column: string; readonly isDown: boolean },
  one: Row,
  other: Row,
): number {
  const [left = '', right = ''] = [one[column], other[column]];
  const isNumber = tables[table]?.[column]?.type === int4;
  const difference = isNumber ? Number(left) - Number(right) : left < right ? -1 : left > right ? 1 : 0;
  return isDown ? -difference : difference;
}

async function update(
  on: Backend,
  statement: Extract<RowStatement, { does: 'update' }>,
  value: Value,
): Promise<Answer> {
  assertWritable(on, 'UPDATE');
  const { table, set } = statement;
  const changed = await change(on, statement, value, row => ({
    ...row,
    ...Object.fromEntries([...set].map(([name, given]) => [name, stored(given, value, table, name, row)])),
  }));
  return {
    rows: changed.map(row => namesGiven(statement).map(name => row[name] ?? null)).filter(row => row.length > 0),
    tag: `UPDATE ${changed.length}`,
  };
}

/** Changes each row that is meant, or deletes it; gives the rows as they are then, or were. */
async function change(
  on: Backend,
  { table, where }: { readonly table: string; readonly where: Conditions },
  value: Value,
  to: (row: Row) => Row | undefined,
): Promise<readonly Row[]> {
  const { store } = on.server;
  const changed: Row[] = [];
  for (const [id, seen] of [...store.scan(on.current(), table)]) {
    if (!isMeant(seen, where, value)) continue;
    const entry = store.entry(table, id);
    const row = await claim(on, entry);
    // Another transaction may have changed it meanwhile.
    if (row === undefined || !isMeant(row, where, value)) continue;
    const next = to(row);
    changed.push(next ?? row);
    if (next !== undefined) {
      await put(on, table, row, next);
      continue;
    }
    for (const [name, { unique }] of Object.entries(tables[table] ?? {}))
      if (unique !== undefined) await forgetValue(on, indexOf(table, name), row[name] ?? '');
    store.write(on.current(), entry, undefined);
  }
  return changed;
}
