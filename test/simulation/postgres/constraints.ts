import type { Backend } from './backend.ts';
import { problems } from './sql-error.ts';
import type { Entry, Row } from './store.ts';
import { definitionOf, type ForeignKey, indexOf, referencesTo, type TableDefinition, type Unique } from './tables.ts';

/** The key of a row in the store. */
export function keyOf({ primaryKey }: TableDefinition, row: Row): string {
  return primaryKey.map(name => row[name]).join(',');
}

/** @throws SqlError for a row that may not be there, whatever other rows there are. */
export function assertValid({ name: table, columns, notNegative }: TableDefinition, row: Row): void {
  for (const [name, { isRequired }] of Object.entries(columns))
    if (isRequired === true && row[name] === undefined) throw problems.notNull(table, name);
  for (const { name, column } of notNegative) if (Number(row[column] ?? 0) < 0) throw problems.check(table, name);
}

/** Stores a row in the place of another one or as a new one, and keeps its values unique. */
export async function put(on: Backend, table: TableDefinition, before: Row | undefined, row: Row): Promise<Entry> {
  assertValid(table, row);
  const { store } = on.server;
  const transaction = on.current();
  const entry = store.entry(table.name, keyOf(table, row));
  if (before !== undefined) await on.hold(entry);
  else if ((await rowWithKey(on, table, row)) !== undefined) throw problems.unique(table.name);
  store.write(transaction, entry, row);
  for (const unique of table.unique) {
    const value = row[unique.column];
    if (before?.[unique.column] === value) continue;
    if (value !== undefined) await keepUnique(on, unique, entry, value);
    if (before !== undefined) await forgetValue(on, table, unique, before);
  }
  return entry;
}

async function keepUnique(on: Backend, unique: Unique, entry: Entry, value: string) {
  const { name, column, isDeferred } = unique;
  const { store } = on.server;
  const transaction = on.current();
  if (isDeferred === true) {
    if (othersWith(on, column, entry, value).length > 0) transaction.toCheck.push(entry);
    return;
  }
  // Of serializable transactions, PostgreSQL reports the conflict, and not what came of it.
  if ((await rowWithValue(on, entry.table, unique, value)) !== undefined)
    throw transaction.isDoomed ? problems.dangerous() : problems.unique(entry.table, name);
  store.write(transaction, store.entry(indexOf(entry.table, column), value), { key: entry.key });
}

/** The row that has the key; without one, no other transaction can insert it any more. */
export function rowWithKey(on: Backend, table: TableDefinition, row: Row): Promise<Entry | undefined> {
  const entry = on.server.store.entry(table.name, keyOf(table, row));
  return takenBy(on, entry, () => entry);
}

/** The same, of a value that only one row may have. */
export function rowWithValue(on: Backend, table: string, { column }: Unique, value: string) {
  const { store } = on.server;
  return takenBy(on, store.entry(indexOf(table, column), value), ({ key = '' }) => store.entry(table, key));
}

async function takenBy(on: Backend, index: Entry, entryOf: (found: Row) => Entry): Promise<Entry | undefined> {
  const { store } = on.server;
  const transaction = on.current();
  for (;;) {
    const found = store.latest(transaction, index);
    if (found === undefined) {
      await on.hold(index);
      if (store.latest(transaction, index) === undefined) return undefined;
      store.letGo(transaction, index);
      continue;
    }
    const entry = entryOf(found);
    if (!store.isPending(transaction, entry)) return entry;
    await untilSettled(on, entry);
  }
}

/** Waits for the transaction that writes the entry, and locks nothing. */
async function untilSettled(on: Backend, entry: Entry): Promise<void> {
  const { store } = on.server;
  while (store.isPending(on.current(), entry)) {
    await on.hold(entry);
    store.letGo(on.current(), entry);
  }
}

/** Other rows that have the value, or will have it if one who writes now commits. */
function othersWith(on: Backend, column: string, entry: Entry, value: string): readonly Entry[] {
  const { store } = on.server;
  const all = [...store.entriesOf(entry.table)].filter(other => other !== entry);
  return all.filter(other => store.possible(on.current(), other).some(row => row[column] === value));
}

/** What is checked at COMMIT. @throws SqlError */
export async function checkDeferred(on: Backend): Promise<void> {
  const transaction = on.current();
  for (const entry of transaction.toCheck.splice(0))
    for (const unique of definitionOf(entry.table)?.unique ?? [])
      if (unique.isDeferred === true) await checkUnique(on, unique, entry);
}

async function checkUnique(on: Backend, { name, column }: Unique, entry: Entry): Promise<void> {
  const { store } = on.server;
  const transaction = on.current();
  for (;;) {
    // It may have been changed since, or undone.
    const value = store.latest(transaction, entry)?.[column];
    if (value === undefined) return;
    const [other] = othersWith(on, column, entry, value);
    if (other === undefined) return;
    if (!store.isPending(transaction, other)) throw problems.unique(entry.table, name);
    await on.hold(other);
  }
}

/** The values of a row that is there no more may be used again. */
export async function forgetValues(on: Backend, table: TableDefinition, row: Row): Promise<void> {
  for (const unique of table.unique) await forgetValue(on, table, unique, row);
}

async function forgetValue(on: Backend, { name }: TableDefinition, { column, isDeferred }: Unique, row: Row) {
  const value = row[column];
  if (isDeferred === true || value === undefined) return;
  const { store } = on.server;
  const index = store.entry(indexOf(name, column), value);
  await on.hold(index);
  store.write(on.current(), index, undefined);
}

/** Checked at the end of a statement that has made `row` of `before`. @throws SqlError for a row that refers to none. */
export async function assertRefers(on: Backend, table: TableDefinition, before: Row | undefined, row: Row) {
  for (const foreignKey of table.foreignKeys) {
    const key = row[foreignKey.column];
    if (key !== undefined && key !== before?.[foreignKey.column]) await assertIsThere(on, table, foreignKey, key);
  }
}

async function assertIsThere(on: Backend, table: TableDefinition, { name, references }: ForeignKey, key: string) {
  const { store } = on.server;
  const transaction = on.current();
  store.takeSnapshot(transaction);
  if (store.read(transaction, references, key) === undefined) throw problems.foreignKey(table.name, name);
  const entry = store.entry(references, key);
  await on.hold(entry, 'key share');
  if (store.latest(transaction, entry) !== undefined) return;
  // It was deleted meanwhile.
  throw transaction.isolation === 'read committed' ? problems.foreignKey(table.name, name) : problems.serialization();
}

/** Checked at the end of a statement that has deleted the row. @throws SqlError when another row refers to it. */
export function assertNotReferred(on: Backend, table: TableDefinition, key: string): void {
  const { store } = on.server;
  const transaction = on.current();
  for (const [from, { name, column }] of referencesTo(table.name))
    for (const row of store.latestRows(transaction, from.name))
      if (row[column] === key) throw problems.referenced(table.name, from.name, name);
}
