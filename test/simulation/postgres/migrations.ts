import { type Advisory, type AdvisoryOf, isLocked, tryLock, unlock, waitForLock } from './advisory.ts';
import type { Backend } from './backend.ts';
import { type ColumnDefinition, columnNamed, hasSchema, isTaken, lockTable, type TableDefinition } from './catalog.ts';
import { answerAboutCatalog, catalogColumns } from './catalog-answers.ts';
import { arrayText, type ColumnType, elementsOf, readAs, typeNumber } from './column-types.ts';
import type { Slot } from './commands.ts';
import { executeDdl } from './ddl.ts';
import type { Answer } from './execute.ts';
import { changeRows, insertRow, scanRows } from './heap.ts';
import { assertWritable } from './locks.ts';
import type { MigrationCommand, TransactionCondition } from './migration-commands.ts';
import type { Named } from './read-ddl.ts';
import { setSetting, shownSetting } from './set.ts';
import { SqlError } from './sql-error.ts';
import type { Row } from './store.ts';
import { type Column, typeNumbers } from './wire.ts';

type Of<Is extends MigrationCommand['is']> = Extract<MigrationCommand, { is: Is }>;
type Value = (slot: Slot) => string | null;

const { bool, text, int4, float8, void: nothing } = typeNumbers;
const column = (type: number, ...names: readonly string[]): Column[] => names.map(name => ({ name, type }));

const columns: Readonly<
  Record<Exclude<MigrationCommand['is'], 'catalog' | 'advisory' | 'mark' | 'cast' | 'read arrays'>, readonly Column[]>
> = {
  ddl: [],
  vacuum: [],
  'lock table': [],
  'lock is seen': column(bool, 'seen'),
  'relation is there': column(bool, 'found'),
  'id of transaction': column(text, 'id'),
  'status of id': column(text, 'status'),
  'set limit': column(text, 'set_config'),
  'applied migrations': [...column(typeNumber({ name: 'varchar' }), 'name'), ...column(float8, 'at')],
  'note migration': column(int4, 'id'),
  'forget migration': column(int4, 'id'),
};

/** What its rows look like. */
export function columnsOfMigration(command: MigrationCommand): readonly Column[] {
  switch (command.is) {
    case 'catalog':
      return catalogColumns[command.about];
    case 'advisory':
      return column(command.does === 'wait' ? nothing : bool, command.column);
    case 'mark':
      return column(bool, command.column);
    case 'read arrays':
      return column(typeNumber({ name: 'text', isArray: true }), command.texts, command.bytes);
    case 'cast': {
      if (command.equals !== undefined) return column(int4, '?column?');
      const last = command.types.at(-1);
      return last === undefined ? column(text, '?column?') : column(typeNumber(last), last.name);
    }
    default:
      return columns[command.is];
  }
}

export async function executeMigration(on: Backend, command: MigrationCommand, value: Value): Promise<Answer> {
  const { store } = on.server;
  switch (command.is) {
    case 'ddl':
      return executeDdl(on, command.ddl);
    case 'catalog':
      return rows(answerAboutCatalog(on, command.about, command.tables));
    case 'vacuum':
      on.assertNoBlock('VACUUM');
      return { rows: [], tag: 'VACUUM' };
    case 'lock table':
      if (!on.isBlock) throw new SqlError('25P01', 'LOCK TABLE can only be used in transaction blocks');
      await lockTable(on, command.table, command.mode);
      return { rows: [], tag: 'LOCK TABLE' };
    case 'advisory':
      return lockKey(on, command.does, advisory(command.lock, value));
    case 'mark':
      return truth(Number(value(command.pid)) === on.pid && tryLock(on, advisory(command.lock, value)));
    case 'lock is seen':
      return truth(isLocked(on, command.high, command.low));
    case 'relation is there':
      return truth(isThere(on, value(command.name) ?? '', command.what));
    case 'id of transaction':
      return rows([[String(store.idOf(on.current()))]]);
    case 'status of id':
      return rows([[store.statusOf(BigInt(value(command.id) ?? ''))]]);
    case 'set limit':
      setSetting(on, command.name, command.value, command.isLocal);
      return rows([[shownSetting(on, command.name) ?? null]]);
    case 'applied migrations':
      return applied(on, command);
    case 'note migration':
      return note(on, command, value);
    case 'forget migration':
      return forget(on, command, value);
    case 'read arrays':
      return readArrays(on, command);
    case 'cast':
      return cast(command, value);
  }
}

function advisory({ key, ...lock }: AdvisoryOf<Slot>, value: Value): Advisory {
  return { ...lock, key: String(BigInt(value(key) ?? '')) };
}

async function lockKey(on: Backend, does: Of<'advisory'>['does'], lock: Advisory): Promise<Answer> {
  if (does === 'try') return truth(tryLock(on, lock));
  if (does === 'unlock') {
    const isUnlocked = unlock(on, lock);
    if (!isUnlocked) on.warn('01000', `you don't own a lock of type ${lock.isShared ? 'ShareLock' : 'ExclusiveLock'}`);
    return truth(isUnlocked);
  }
  await waitForLock(on, lock);
  return rows([['']]);
}

function isThere(on: Backend, quoted: string, what: 'table' | 'schema'): boolean {
  const names = quoted.replaceAll('"', '').split('.');
  if (what === 'schema') return hasSchema(on, names[0] ?? '');
  const [schema, name] = names.length === 1 ? ['public', ...names] : names;
  return isTaken(on, { schema: schema ?? '', name: name ?? '' });
}

interface MigrationColumns {
  readonly table: TableDefinition;
  readonly id: ColumnDefinition;
  readonly name: ColumnDefinition;
  readonly executedAt: ColumnDefinition;
}

async function open(on: Backend, named: Named, writes: boolean): Promise<MigrationColumns> {
  const table = await lockTable(on, named, writes ? 'row exclusive' : 'access share');
  on.server.store.takeSnapshot(on.current());
  const [id, name, executedAt] = [columnOf(table, 'id'), columnOf(table, 'name'), columnOf(table, 'executed_at')];
  return { table, id, name, executedAt };
}

function columnOf(table: TableDefinition, name: string): ColumnDefinition {
  const found = columnNamed(table, name);
  if (found === undefined) throw new SqlError('42703', `column "${name}" does not exist`);
  return found;
}

async function applied(on: Backend, { table: named }: Of<'applied migrations'>): Promise<Answer> {
  const { table, id, name, executedAt } = await open(on, named, false);
  const found = scanRows(on, table).map(([, row]) => row);
  found.sort((one, other) => Number(one[id.number]) - Number(other[id.number]));
  return rows(found.map(row => [row[name.number] ?? null, String(Date.parse(dateOf(row[executedAt.number])))]));
}

/** As `Date` reads it. */
function dateOf(moment = ''): string {
  return `${moment.replace(' ', 'T')}:00`;
}

async function note(on: Backend, command: Of<'note migration'>, value: Value): Promise<Answer> {
  assertWritable(on, 'INSERT');
  const { table, id, name } = await open(on, command.table, true);
  if (!isIn(on, command.inTransaction, value)) return { rows: [], tag: 'INSERT 0 0' };
  const given = value(command.name);
  // Faults at COMMIT are for what the history knows.
  if (given !== null) on.current().units.add(given);
  const row = await insertRow(on, table, new Map([[name, given === null ? null : readAs(name.type, given)]]));
  return { rows: [[row[id.number] ?? null]], tag: 'INSERT 0 1' };
}

async function forget(on: Backend, command: Of<'forget migration'>, value: Value): Promise<Answer> {
  assertWritable(on, 'DELETE');
  const { table, id, name } = await open(on, command.table, true);
  const given = value(command.name);
  const names = new Set(given === null ? [] : [given, `${given}.js`, `${given}.ts`]);
  const isMeant = (row: Row) => names.has(row[name.number] ?? '') && isIn(on, command.inTransaction, value);
  const deleted = await changeRows(on, table, isMeant, () => undefined);
  return { rows: deleted.map(row => [row[id.number] ?? null]), tag: `DELETE ${deleted.length}` };
}

function isIn(on: Backend, condition: TransactionCondition | undefined, value: Value): boolean {
  if (condition === undefined) return true;
  const there =
    condition.of === 'id' ? String(on.server.store.idOf(on.current())) : on.settings.get('keelson.migration');
  return value(condition.is) === there;
}

async function readArrays(on: Backend, { table: named, texts, bytes }: Of<'read arrays'>): Promise<Answer> {
  const table = await lockTable(on, named, 'access share');
  on.server.store.takeSnapshot(on.current());
  const [first, second] = [columnOf(table, texts), columnOf(table, bytes)];
  return rows(scanRows(on, table).map(([, row]) => [row[first.number] ?? null, inHex(row[second.number])]));
}

/** `encode` gives NULL for NULL, and `array_agg` NULL for no element. */
function inHex(array: string | undefined): string | null {
  const elements = array === undefined ? [] : elementsOf(array);
  if (elements.length === 0) return null;
  return arrayText(elements.map(element => element?.replace(/^\\x/, '') ?? null));
}

function cast({ given, types, equals }: Of<'cast'>, value: Value): Answer {
  const read = types.reduce((found, type) => through(type, found), value(given));
  if (equals === undefined) return rows([[read]]);
  return rows(read === equals ? [['1']] : []);
}

function through(type: ColumnType, found: string | null): string | null {
  return found === null ? null : readAs(type, found);
}

function truth(is: boolean): Answer {
  return rows([[is ? 't' : 'f']]);
}

function rows(all: readonly (readonly (string | null)[])[]): Answer {
  return { rows: all, tag: `SELECT ${all.length}` };
}
