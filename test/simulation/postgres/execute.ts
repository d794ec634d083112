import { hasAny, tryLock } from './advisory.ts';
import type { Backend } from './backend.ts';
import type { Command, Slot } from './commands.ts';
import { executeCopy } from './copy.ts';
import { epoch } from './epoch.ts';
import { columnsOnHeap, executeOnHeap } from './heap.ts';
import { limitNames } from './limits.ts';
import { executeListen } from './listen.ts';
import type { LockMode } from './lock-table.ts';
import { assertWritable, claim } from './locks.ts';
import { isOfMigrations } from './migration-commands.ts';
import { columnsOfMigration, executeMigration } from './migrations.ts';
import { analyse, executeRows } from './rows.ts';
import { executeObject } from './session-objects.ts';
import { columnsOfSet, executeSet } from './set.ts';
import { problems, SqlError } from './sql-error.ts';
import type { Row } from './store.ts';
import { type RowStatement, tablesOf } from './syntax.ts';
import { numberOfType } from './values.ts';
import { type Column, typeNumbers } from './wire.ts';

export interface Answer {
  readonly rows: Iterable<readonly (string | null)[]>;
  readonly tag: string;
  /** Called when the answer has reached its client. */
  readonly onLearned?: () => void;
}

type Values = readonly (string | null)[];
type Of<Is extends Command['is']> = Extract<Command, { is: Is }>;

const { bool, text, int4, json, void: nothing, pgLsn, timestamptz } = typeNumbers;
const columns = (type: number, ...names: readonly string[]): Column[] => names.map(name => ({ name, type }));

const ofQuestions: Readonly<Record<Of<'question'>['about'], readonly Column[]>> = {
  one: columns(int4, '?column?'),
  identity: [...columns(text, 'text', 'version'), ...columns(int4, 'pid')],
  defaults: [...columns(text, 'isolation'), ...columns(bool, 'roleIsReadOnly')],
  products: columns(bool, 'citus', 'aurora', 'alloydb', 'neon'),
  limits: columns(text, ...limitNames),
  'commit lookup works': columns(bool, 'works'),
  'timeouts set': columns(text, ...limitNames),
  'shared lock': columns(bool, 'pg_try_advisory_xact_lock_shared'),
  'lock is held': columns(bool, 'held'),
  'replica lag': [
    ...columns(pgLsn, 'pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn'),
    ...columns(timestamptz, 'pg_last_xact_replay_timestamp'),
    ...columns(bool, 'exists'),
  ],
  'isolation level': columns(text, 'level'),
  pid: columns(int4, 'pid'),
  role: columns(bool, 'standby', 'readOnly'),
  'transaction id': columns(text, 'id'),
  lag: columns(text, 'lagMs'),
  position: columns(text, 'position'),
  'is in recovery': columns(bool, 'standby'),
  'what leaves a state': columns(json, 'found'),
};

const ofCommands: Readonly<Partial<Record<Command['is'], readonly Column[]>>> = {
  'transaction status': columns(text, 'status', 'run', 'startedAt'),
  'look at backends': [...columns(int4, 'own', 'pid'), ...columns(text, 'state', 'event', 'since', 'ageMs')],
  'end backend': columns(bool, 'pg_terminate_backend'),
  'end idle blocker': columns(bool, 'pg_terminate_backend'),
  reached: columns(bool, 'reached'),
  sleep: columns(nothing, 'pg_sleep'),
  running: columns(int4, 'running'),
  'read list': columns(text, 'items'),
  'read lists': columns(text, 'key', 'items'),
  'read units': columns(text, 'unit'),
  'look for token': columns(text, 'outcome'),
  'read no token': columns(text, 'token', 'expires_at', 'refused'),
};
const ofInsert = columns(int4, 'id');
const none: readonly Column[] = [];

/** What its rows look like; none for one that returns no rows. @throws SqlError for a name that is not known. */
function columnsOf(on: Backend, command: Command): readonly Column[] {
  if (command.is === 'question') return ofQuestions[command.about];
  if (command.is === 'rows') return analyse(on, command.statement).plan.columns;
  if (command.is === 'select') return command.selection.columns;
  if (command.is === 'set') return columnsOfSet(command.statement);
  if (command.is === 'insert') return command.returnsId ? ofInsert : none;
  if (isOfMigrations(command)) return columnsOfMigration(command);
  return ofCommands[command.is] ?? none;
}

/** Looks for the tables and columns that it names, and gives what its rows look like. */
export async function prepare(on: Backend, command: Command): Promise<readonly Column[]> {
  return command.is === 'heap' ? columnsOnHeap(on, command.statement) : columnsOf(on, command);
}

const noTypes: ReadonlyMap<number, number> = new Map();

/** The types of its parameters, by their numbers from 0, as far as they are looked at. */
export function parameterTypesOf(on: Backend, command: Command): ReadonlyMap<number, number> {
  if (command.is !== 'rows') return noTypes;
  const { parameters } = analyse(on, command.statement);
  return new Map([...parameters].map(([at, type]) => [at, numberOfType(type)]));
}

/** Does what a statement says; what begins and ends transactions is not done here. */
export async function execute(on: Backend, command: Command, values: Values): Promise<Answer> {
  const transaction = on.current();
  const { store } = on.server;
  const value = (slot: Slot) => ('parameter' in slot ? values[slot.parameter] : slot.literal) ?? null;
  const given = (slot: Slot) => value(slot) ?? '';
  switch (command.is) {
    case 'savepoint':
      if (!on.isBlock) throw problems.noBlock('SAVEPOINT');
      store.setSavepoint(transaction, command.name, on.mark());
      return done('SAVEPOINT');
    case 'release':
      if (!on.isBlock) throw problems.noBlock('RELEASE SAVEPOINT');
      store.release(transaction, command.name);
      return done('RELEASE');
    case 'set': {
      const { tag, shown } = executeSet(on, command.statement, true);
      return { rows: shown === undefined ? [] : [[shown]], tag };
    }
    case 'lock':
      if (!on.isBlock) throw problems.noBlock('LOCK TABLE');
      if (!store.hasTable(command.table)) throw problems.noTable(command.table);
      await on.lock(lockOf(command.table), command.mode);
      return done('LOCK TABLE');
    case 'listen':
      return done(executeListen(on, command.statement));
    case 'empty':
      return done('');
    case 'fail':
      throw new SqlError(command.state, command.message);
  }
  store.takeSnapshot(transaction);
  switch (command.is) {
    case 'do':
      if (!command.onPrimary || !on.server.isStandby)
        for (const statement of command.statements)
          if (statement.is === 'set') executeSet(on, statement.statement, false);
          else await execute(on, statement, []);
      return done('DO');
    case 'copy':
      assertWritable(on, 'COPY FROM');
      await on.lock(lockOf(command.statement.table), 'row exclusive');
      return done(`COPY ${await executeCopy(on, command.statement)}`);
    case 'object':
      return done(executeObject(on, command.statement));
    case 'select':
      return { rows: command.selection.rows({ on, values }), tag: 'SELECT' };
    case 'question':
      return answerTo(on, command.about);
    case 'transaction status':
      return statusOf(on, command);
    case 'look at backends':
      return lookAt(on, given(command.pids));
    case 'end backend':
      return endBackend(on, Number(given(command.pid)), given(command.since));
    case 'end idle blocker':
      return endIdleBlocker(on, Number(given(command.of)), Number(given(command.self)));
    case 'reached':
      return reached(on, [given(command.system), given(command.timeline), given(command.position)]);
    case 'running':
      return rows([[String(running(on, command.text))]]);
    case 'sleep':
      noteUnit(on, given(command.unit));
      await on.sleep(command.ms);
      return rows([['']]);
    case 'create schema':
      return done('CREATE SCHEMA');
    case 'create table':
      if (store.hasTable(command.table) && !command.unlessThere)
        throw new SqlError('42P07', `relation "${command.table}" already exists`);
      assertWritable(on, 'CREATE TABLE');
      on.server.createTable(command.table);
      return done('CREATE TABLE');
    default: {
      if (transaction.isDoomed) throw problems.dangerous();
      const answer = await onTables(on, command, value, values);
      // What it has read or written now may have closed the circle.
      if (transaction.isDoomed) throw problems.dangerous();
      return answer;
    }
  }
}

async function onTables(
  on: Backend,
  command: Command,
  value: (slot: Slot) => string | null,
  values: Values,
): Promise<Answer> {
  const given = (slot: Slot) => value(slot) ?? '';
  const transaction = on.current();
  const { store, world } = on.server;
  switch (command.is) {
    case 'read list': {
      noteUnit(on, given(command.unit));
      const key = given(command.key);
      if (!command.forUpdate) return rowsOf(store.read(transaction, 'list', key), 'items');
      assertWritable(on, 'SELECT FOR UPDATE');
      const row = store.read(transaction, 'list', key);
      return row === undefined ? rows([]) : rowsOf(await claim(on, store.entry('list', key)), 'items');
    }
    case 'read lists':
      noteUnit(on, given(command.unit));
      return rows(Array.from(store.scan(transaction, 'list'), ([key, { items = '' }]) => [key, items]));
    case 'append': {
      assertWritable(on, 'UPDATE');
      const item = given(command.item);
      noteUnit(on, unitIn(item));
      return update(on, given(command.key), row => ({ ...row, items: `${row.items ?? ''}${item}` }));
    }
    case 'set list': {
      assertWritable(on, 'UPDATE');
      const items = given(command.items);
      noteUnit(on, unitIn(items));
      return update(on, given(command.key), row => ({ ...row, items }));
    }
    case 'put list': {
      assertWritable(on, 'INSERT');
      const items = given(command.items);
      noteUnit(on, unitIn(items));
      const entry = store.entry('list', given(command.key));
      await on.hold(entry);
      const latest = store.latest(transaction, entry);
      if (latest !== undefined && store.hasChanged(transaction, entry) && transaction.isolation !== 'read committed')
        throw problems.serialization();
      if (transaction.isolation === 'serializable') store.read(transaction, 'list', entry.key);
      store.write(transaction, entry, { key: entry.key, items: `${latest?.items ?? ''}${items}` });
      return done('INSERT 0 1');
    }
    case 'insert': {
      assertWritable(on, 'INSERT');
      return insert(on, command, given);
    }
    case 'read units': {
      const unit = given(command.unit);
      noteUnit(on, unit);
      const found: string[][] = [];
      for (const [, row] of store.scan(transaction, 'ledger')) if (row.unit === unit) found.push([unit]);
      return rows(found);
    }
    case 'write token': {
      assertWritable(on, 'INSERT');
      const token = given(command.token);
      const entry = store.entry(tokens, token);
      await on.hold(entry);
      if (store.latest(transaction, entry) !== undefined) throw problems.unique(tokens);
      store.write(transaction, entry, tokenRow(world.epochMs + command.keepMs, false));
      return done('INSERT 0 1');
    }
    case 'look for token':
      return lookForToken(on, given(command.token), command.keepMs);
    case 'clean tokens': {
      assertWritable(on, 'DELETE');
      const before = given(command.before);
      let count = 0;
      for (const [key, row] of [...store.scan(transaction, tokens)]) {
        if (!(key < before && Number(row.expires_at) < transaction.startedAtMs)) continue;
        const entry = store.entry(tokens, key);
        if (store.hold(transaction, entry) !== undefined) continue;
        store.write(transaction, entry, undefined);
        count += 1;
      }
      return done(`DELETE ${count}`);
    }
    case 'rows':
      await lockForRows(on, command.statement);
      return executeRows(on, command.statement, values);
    case 'heap':
      return executeOnHeap(on, command.statement, value);
    case 'read no token':
      if (!store.hasTable(tokens)) throw problems.noTable(tokens);
      return rows([]);
    default:
      if (isOfMigrations(command)) return executeMigration(on, command, value);
      throw new Error(`the simulation does not know ${command.is} here`);
  }
}

const tokens = 'keelson_commit_tokens';

function tokenRow(expiresAtMs: number, refused: boolean): Row {
  return { expires_at: String(expiresAtMs), refused: String(refused) };
}

async function lookForToken(on: Backend, token: string, keepMs: number): Promise<Answer> {
  assertWritable(on, 'INSERT');
  const transaction = on.current();
  const { store, world, history, name } = on.server;
  const entry = store.entry(tokens, token);
  await on.hold(entry);
  const there = store.latest(transaction, entry);
  const outcome = there?.refused === 'false' ? 'committed' : 'aborted';
  world.note(`${on.link.owner} asks ${name} what became of token ${token}: ${outcome}`);
  store.write(transaction, entry, there ?? tokenRow(world.epochMs + keepMs, true));
  if (there?.refused !== 'false') return { ...rows([['aborted']]), tag: 'INSERT 0 1' };
  const record = store.log.findLast(({ writes }) => writes.some(({ table, key }) => table === tokens && key === token));
  const writer = store.log.find(({ writes }) => writes.some(({ table, key }) => table === tokens && key === token));
  const id = (writer ?? record)?.id;
  return {
    ...rows([['committed']]),
    tag: 'INSERT 0 1',
    ...(id !== undefined && { onLearned: history.answerAbout(name, id) }),
  };
}

async function update(on: Backend, key: string, change: (row: Row) => Row): Promise<Answer> {
  const { store } = on.server;
  const transaction = on.current();
  if (store.read(transaction, 'list', key) === undefined) return done('UPDATE 0');
  const entry = store.entry('list', key);
  const row = await claim(on, entry);
  if (row === undefined) return done('UPDATE 0');
  store.write(transaction, entry, change(row));
  return done('UPDATE 1');
}

async function insert(on: Backend, command: Of<'insert'>, given: (slot: Slot) => string): Promise<Answer> {
  const { store } = on.server;
  const transaction = on.current();
  const row = Object.fromEntries([...command.values].map(([column, slot]) => [column, given(slot)]));
  if (row.unit !== undefined) noteUnit(on, row.unit);
  // The ledger has no key: whatever is written there twice is there twice.
  const isLedger = command.table === 'ledger';
  const key = isLedger ? store.newKey() : (row.key ?? row.id ?? '');
  const entry = store.entry(command.table, key);
  await on.hold(entry);
  if (store.latest(transaction, entry) !== undefined) throw problems.unique(command.table);
  if (transaction.isolation === 'serializable' && !isLedger) store.read(transaction, command.table, key);
  store.write(transaction, entry, row);
  if (isLedger && row.unit !== undefined) transaction.units.add(row.unit);
  return command.returnsId ? { ...rows([[key]]), tag: 'INSERT 0 1' } : done('INSERT 0 1');
}

/** An item of a list begins with the unit that has added it: `u17.1`. */
function unitIn(items: string): string {
  return /(u\d+)[^,]*,?$/.exec(items)?.[1] ?? '';
}

const unitOfTransaction = new WeakMap<object, string>();

/** Statements of two units in one transaction would be a connection that was lent twice. */
function noteUnit(on: Backend, unit: string): void {
  if (unit === '') return;
  const transaction = on.current();
  const before = unitOfTransaction.get(transaction);
  if (before === undefined) unitOfTransaction.set(transaction, unit);
  else if (before !== unit)
    on.server.world.violate(
      'two sessions are never on one connection',
      `${before} and ${unit} ran in one transaction on ${on.link.name}`,
    );
}

function answerTo(on: Backend, about: Of<'question'>['about']): Answer {
  const { server } = on;
  const { store, world } = server;
  const transaction = on.current();
  switch (about) {
    case 'one':
      return rows([['1']]);
    case 'identity':
      return rows([['PostgreSQL 18.1 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit', '18.1', String(on.pid)]]);
    case 'defaults':
      return rows([['read committed', 'f']]);
    case 'products':
      return rows([['f', 'f', 'f', 'f']]);
    case 'limits':
      return rows([
        limitNames.map(name => `${on.settings.initially(name)}/${on.startsWithLimits ? 'client' : 'default'}`),
      ]);
    case 'commit lookup works':
      if (!server.isStandby) store.idOf(transaction);
      return rows([['t']]);
    case 'timeouts set':
      return rows([limitNames.map(name => on.settings.shown(name) ?? '')]);
    case 'shared lock':
      return rows([[tryLock(on, { key: '5431964201735', isShared: true, isOfSession: false }) ? 't' : 'f']]);
    case 'lock is held':
      return rows([[hasAny(on) ? 't' : 'f']]);
    case 'replica lag':
      return rows([[null, null, null, server.isStandby ? 't' : 'f']]);
    case 'isolation level':
      return rows([[transaction.isolation]]);
    case 'pid':
      return rows([[String(on.pid)]]);
    case 'role':
      return rows([[server.isStandby ? 't' : 'f', on.isReadOnlyTransaction || server.isStandby ? 't' : 'f']]);
    case 'is in recovery':
      return rows([[server.isStandby ? 't' : 'f']]);
    case 'what leaves a state':
      return rows([['[]']]);
    case 'transaction id': {
      const id = server.isStandby ? 'none' : String(idFor(on));
      return rows([[`${id}@${server.run}@${epoch(server.startedAtMs)}@${epoch(transaction.startedAtMs)}`]]);
    }
    case 'lag':
      return rows([[server.isStandby ? String(world.epochMs - (store.log.at(-1)?.atMs ?? world.epochMs)) : '0']]);
    case 'position':
      return rows([[`7000000000000000001.${server.timeline}.0/${(store.position + 1).toString(16).toUpperCase()}`]]);
  }
}

function idFor(on: Backend): bigint {
  return on.server.store.idOf(on.current());
}

function statusOf(on: Backend, { id }: Of<'transaction status'>): Answer {
  const { server } = on;
  const status = server.isStandby ? 'standby' : server.store.statusOf(BigInt(id));
  server.world.note(`${on.link.owner} asks ${server.name} what became of transaction ${id}: ${status}`);
  const { history, name } = server;
  return {
    ...rows([[status, server.run, epoch(server.startedAtMs)]]),
    ...(status === 'committed' && { onLearned: history.answerAbout(name, BigInt(id)) }),
  };
}

function sinceOf({ startedAtMs, stateChangedAtMs }: Backend): string {
  return `${epoch(startedAtMs)} ${epoch(stateChangedAtMs)}`;
}

function lookAt(on: Backend, pids: string): Answer {
  const wanted = pids.replace(/[{}]/g, '').split(',').map(Number);
  const found = wanted.flatMap(pid => on.server.backends.get(pid) ?? []).filter(({ state }) => state !== 'starting');
  const own = String(on.pid);
  if (found.length === 0) return rows([[own, null, null, null, null, null]]);
  return rows(
    found.map(backend => {
      const event = backend.state === 'active' ? backend.waitEvent : 'ClientRead';
      const ageMs = String(on.server.world.epochMs - backend.startedAtMs);
      return [own, String(backend.pid), backend.state, event, sinceOf(backend), ageMs];
    }),
  );
}

function running(on: Backend, text: string): number {
  const others = [...on.server.backends.values()].filter(backend => backend !== on);
  return others.filter(({ state, query }) => state === 'active' && query.includes(text)).length;
}

function endBackend(on: Backend, pid: number, since: string): Answer {
  const backend = on.server.backends.get(pid);
  if (backend === undefined || sinceOf(backend) !== since || !backend.state.startsWith('idle')) return rows([]);
  backend.terminate();
  return rows([['t']]);
}

function endIdleBlocker(on: Backend, of: number, self: number): Answer {
  if (self !== on.pid) return rows([]);
  const waiting = on.server.backends.get(of)?.transaction;
  const blocking = new Set(waiting === undefined ? [] : on.server.store.blockersOf(waiting));
  const nowMs = on.server.world.epochMs;
  const ended = [...on.server.backends.values()].filter(
    ({ transaction, state, stateChangedAtMs }) =>
      transaction !== undefined &&
      blocking.has(transaction) &&
      state === 'idle in transaction' &&
      stateChangedAtMs < nowMs - 1_000,
  );
  for (const backend of ended) backend.terminate();
  return rows(ended.map(() => ['t']));
}

function reached(on: Backend, [system, timeline, position]: readonly string[]): Answer {
  const { server } = on;
  const wanted = Number.parseInt((position ?? '').split('/')[1] ?? '', 16);
  const isReached =
    system === '7000000000000000001' && timeline === String(server.timeline) && server.store.position + 1 >= wanted;
  return rows([[isReached ? 't' : 'f']]);
}

/** Of a table that the server was made with. */
function lockOf(table: string): string {
  return `made ${table}`;
}

async function lockForRows(on: Backend, statement: RowStatement): Promise<void> {
  for (const table of tablesOf(statement)) await on.lock(lockOf(table), lockModeOf(statement));
}

function lockModeOf(statement: RowStatement): LockMode {
  if (statement.does === 'truncate') return 'access exclusive';
  if (statement.does !== 'select') return 'row exclusive';
  return statement.forUpdate ? 'row share' : 'access share';
}

function rows(all: readonly (readonly (string | null)[])[]): Answer {
  return { rows: all, tag: `SELECT ${all.length}` };
}

function rowsOf(row: Row | undefined, column: string): Answer {
  return rows(row === undefined ? [] : [[row[column] ?? null]]);
}

export function done(tag: string): Answer {
  return { rows: [], tag };
}
