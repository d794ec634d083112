import { lastingQuestion } from '@keelson/database';
import { type CopyStatement, readCopy } from './copy.ts';
import { type ListenStatement, readListen } from './listen.ts';
import { isLockMode, type LockMode } from './lock-table.ts';
import { type MigrationCommand, readMigration } from './migration-commands.ts';
import { isolationNamed, type Modes, modesIn } from './modes.ts';
import { type HeapStatement, readHeap } from './read-heap.ts';
import { readSelection } from './read-selection.ts';
import { readRows } from './read-sql.ts';
import { type Selection, selectionOf } from './selections.ts';
import { type ObjectStatement, readObject } from './session-objects.ts';
import { readSet, type SetStatement } from './set.ts';
import { problems } from './sql-error.ts';
import { isStatementWord } from './statement-words.ts';
import { type RowStatement, tablesOf } from './syntax.ts';
import { reading, Unreadable, type Words, withoutComments } from './words.ts';

/** A value in a statement: a parameter by its number from 0, or as it stands there. */
export type Slot = { readonly parameter: number } | { readonly literal: string | null };

/** A question about the server, answered from what the server is. */
export type Question =
  | 'one'
  | 'identity'
  | 'defaults'
  | 'products'
  | 'limits'
  | 'commit lookup works'
  | 'timeouts set'
  | 'shared lock'
  | 'lock is held'
  | 'replica lag'
  | 'isolation level'
  | 'pid'
  | 'role'
  | 'transaction id'
  | 'lag'
  | 'position'
  | 'is in recovery'
  | 'what leaves a state';

/** What the simulated server knows to do. */
export type Command =
  | { readonly is: 'begin'; readonly modes: Modes; readonly tag?: 'START TRANSACTION' }
  | { readonly is: 'commit'; readonly chains: boolean }
  | { readonly is: 'rollback'; readonly chains: boolean }
  | { readonly is: 'savepoint'; readonly name: string }
  | { readonly is: 'release'; readonly name: string }
  | { readonly is: 'rollback to'; readonly name: string }
  | { readonly is: 'set'; readonly statement: SetStatement }
  | { readonly is: 'listen'; readonly statement: ListenStatement }
  | { readonly is: 'lock'; readonly table: string; readonly mode: LockMode }
  | { readonly is: 'copy'; readonly statement: CopyStatement }
  | { readonly is: 'object'; readonly statement: ObjectStatement }
  /** With statements; `onPrimary`: unless it is a standby. */
  | { readonly is: 'do'; readonly statements: readonly Command[]; readonly onPrimary: boolean }
  | { readonly is: 'select'; readonly selection: Selection }
  | { readonly is: 'question'; readonly about: Question }
  | { readonly is: 'transaction status'; readonly id: string }
  | { readonly is: 'look at backends'; readonly pids: Slot }
  | { readonly is: 'end backend'; readonly pid: Slot; readonly since: Slot }
  | { readonly is: 'end idle blocker'; readonly of: Slot; readonly self: Slot }
  | { readonly is: 'reached'; readonly system: Slot; readonly timeline: Slot; readonly position: Slot }
  | { readonly is: 'sleep'; readonly ms: number; readonly unit: Slot }
  /** How many other sessions run a statement with this text. */
  | { readonly is: 'running'; readonly text: string }
  | { readonly is: 'create table'; readonly table: string; readonly unlessThere: boolean }
  | { readonly is: 'create schema' }
  | { readonly is: 'read list'; readonly key: Slot; readonly unit: Slot; readonly forUpdate: boolean }
  | { readonly is: 'read lists'; readonly unit: Slot }
  | { readonly is: 'append'; readonly key: Slot; readonly item: Slot }
  | { readonly is: 'set list'; readonly key: Slot; readonly items: Slot }
  | { readonly is: 'put list'; readonly key: Slot; readonly items: Slot }
  | {
      readonly is: 'insert';
      readonly table: string;
      readonly values: ReadonlyMap<string, Slot>;
      readonly returnsId: boolean;
    }
  | { readonly is: 'read units'; readonly unit: Slot }
  | { readonly is: 'write token'; readonly token: Slot; readonly keepMs: number }
  | { readonly is: 'look for token'; readonly token: Slot; readonly keepMs: number }
  | { readonly is: 'clean tokens'; readonly before: Slot }
  | { readonly is: 'read no token' }
  | { readonly is: 'rows'; readonly statement: RowStatement }
  /** About the rows of a table that was made with DDL. */
  | { readonly is: 'heap'; readonly statement: HeapStatement }
  | MigrationCommand
  /** PostgreSQL refuses it, whatever the state of the session. */
  | { readonly is: 'fail'; readonly state: string; readonly message: string }
  | { readonly is: 'empty' };

export class UnknownStatement extends Error {
  constructor(sql: string) {
    super(`the simulated server does not know this statement: ${sql}`);
  }
}

/**
 * What a statement says on a server that was made with some tables. Another table of the same name may be made with DDL on
 * another server.
 * @throws UnknownStatement for one that the simulation was not written for
 * @throws SqlError for one that is no SQL
 */
export function commandOf(sql: string, isMadeWith: (table: string) => boolean): Command {
  const command = known(sql);
  if (command !== undefined && isThere(command, isMadeWith)) return command;
  const other = isMadeWith(rowTableIn(sql)) ? undefined : knownOnHeap(sql);
  if (other !== undefined) return other;
  const last = knownByWords(sql);
  if (last !== undefined) return last;
  if (command === undefined) throw new UnknownStatement(sql);
  return command;
}

function isThere(command: Command, isMadeWith: (table: string) => boolean): boolean {
  if (command.is === 'insert') return isMadeWith(command.table);
  if (command.is !== 'rows') return true;
  const tables = tablesOf(command.statement);
  return tables.length === 0 || tables.some(isMadeWith);
}

function rowTableIn(sql: string): string {
  return rowTable.exec(sql)?.[0] ?? '';
}

/** Of which the columns are known. */
const rowTable = /\b(?:conformance_\w+|part)\b/;

const known = remembered(read);
const knownOnHeap = remembered((text): Command | undefined => {
  const sql = normal(text);
  const statement = readHeap(sql);
  return statement === undefined ? readMigration(sql) : { is: 'heap', statement };
});

const knownByWords = remembered(sql => reading(sql, readWords));

function remembered(reader: (sql: string) => Command | undefined): (sql: string) => Command | undefined {
  const texts = new Map<string, Command>();
  return sql => {
    const before = texts.get(sql);
    if (before !== undefined) return before;
    const command = reader(sql);
    if (command === undefined) return undefined;
    if (texts.size > 5_000) texts.clear();
    texts.set(sql, command);
    return command;
  };
}

/** One text may have several statements, each behind a semicolon. */
export function statementsOf(text: string): readonly string[] {
  const parts = text.match(/(?:'(?:[^']|'')*'|"[^"]*"|\$\$[\s\S]*?\$\$|[^;'"$]|\$)+/g) ?? [];
  return parts.map(part => part.trim()).filter(part => part !== '');
}

/** In one line, with one space where there was more, and without comments; texts and names stay as they are. */
function normal(sql: string): string {
  const spaced = /\/\*|--/.test(sql) ? withoutComments(sql) : sql;
  const parts = spaced.replace(/'(?:[^']|'')*'|"[^"]*"|\s+/g, part => (/^\s/.test(part) ? ' ' : part));
  return parts.trim().replace(/\s*;$/, '');
}

const slot = String.raw`(\$\d+|'(?:[^']|'')*'|-?\d+(?:\.\d+)?|null)`;

function slotOf(text: string): Slot {
  if (text.startsWith('$')) return { parameter: Number(text.slice(1)) - 1 };
  if (text === 'null') return { literal: null };
  return { literal: text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text };
}

const run = `concat_ws('/', extract(epoch from pg_stat_get_bgwriter_stat_reset_time()), host(inet_server_addr()), coalesce(inet_server_port()::text, current_setting('port')))`;
const startedAt = 'extract(epoch from pg_postmaster_start_time())';

/** Statements of Keelson, as they are. One that is changed is not known any more, and to be looked at here. */
const questions: ReadonlyMap<string, Question> = new Map<string, Question>([
  ['select 1', 'one'],
  [`select version() as text, current_setting('server_version') as version, pg_backend_pid() as pid`, 'identity'],
  [
    `select current_setting('default_transaction_isolation') as isolation, setting = 'on' and source in ('user', 'database user', 'client') as "roleIsReadOnly" from pg_settings where name = 'default_transaction_read_only'`,
    'defaults',
  ],
  [
    `select exists (select from pg_extension where extname = 'citus') as citus, exists (select from pg_proc where proname = 'aurora_version') as aurora, exists (select from pg_settings where name like 'alloydb.%') as alloydb, exists (select from pg_settings where name like 'neon.%') as neon`,
    'products',
  ],
  [
    `select ${['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'].map(name => `(select setting || '/' || coalesce(source, '') from pg_settings where name = '${name}') as ${name}`).join(', ')}`,
    'limits',
  ],
  [
    `select (pg_is_in_recovery() or pg_xact_status(pg_current_xact_id()) = 'in progress') and ${run} is not null and ${startedAt} is not null as works`,
    'commit lookup works',
  ],
  [
    `select ${['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'].map(name => `current_setting('${name}') as ${name}`).join(', ')}`,
    'timeouts set',
  ],
  ['select pg_try_advisory_xact_lock_shared(5431964201735)', 'shared lock'],
  [
    `select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted) as held`,
    'lock is held',
  ],
  [
    'select pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp(), exists (select from pg_stat_wal_receiver)',
    'replica lag',
  ],
  [`select current_setting('transaction_isolation') as level`, 'isolation level'],
  ['select pg_backend_pid() as pid', 'pid'],
  [`select pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as "readOnly"`, 'role'],
  [
    `select case when pg_is_in_recovery() then 'none' else pg_current_xact_id()::text end || concat_ws('@', '', ${run}, ${startedAt}, extract(epoch from now())) as id`,
    'transaction id',
  ],
  [
    `select case when not pg_is_in_recovery() then 0 when pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() and exists (select from pg_stat_wal_receiver) then 0 else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 end::float8::text as "lagMs"`,
    'lag',
  ],
  [
    `select concat_ws('.', (select system_identifier from pg_control_system()), ('x' || substr(pg_walfile_name(lsn), 1, 8))::bit(32)::int, lsn) as position from pg_current_wal_insert_lsn() as lsn`,
    'position',
  ],
  ['select pg_is_in_recovery() as standby', 'is in recovery'],
  [normal(lastingQuestion), 'what leaves a state'],
]);

/** All questions, for a comparison with a real server. */
export const questionTexts: readonly string[] = [...questions.keys()];

type Reader = (...found: readonly string[]) => Command;
type Shape = readonly [pattern: RegExp, read: Reader];

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const whole = (pattern: string) => new RegExp(`^${pattern}$`);
const name = '"?([\\w]+)"?';
const tokenTable = '(?:"[^"]+"\\.)?"keelson_commit_tokens"';
const expiry = "current_timestamp \\+ interval '(\\d+) milliseconds'";

const shapes: readonly Shape[] = [
  [
    /^begin(?: isolation level (read committed|repeatable read|serializable))?( read only)?( deferrable)?$/,
    (isolation, readOnly, deferrable) => ({
      is: 'begin',
      modes: {
        ...(isolation !== undefined && { isolation: isolationNamed(isolation) }),
        ...(readOnly !== undefined && { readOnly: true }),
        ...(deferrable !== undefined && { deferrable: true }),
      },
    }),
  ],
  [/^commit( and chain)?$/, chain => ({ is: 'commit', chains: chain !== undefined })],
  [/^rollback( and chain)?$/, chain => ({ is: 'rollback', chains: chain !== undefined })],
  [whole(`savepoint ${name}`), (savepoint = '') => ({ is: 'savepoint', name: savepoint })],
  [whole(`release savepoint ${name}`), (savepoint = '') => ({ is: 'release', name: savepoint })],
  [whole(`rollback to savepoint ${name}`), (savepoint = '') => ({ is: 'rollback to', name: savepoint })],
  [
    /^set local (statement_timeout|lock_timeout|idle_in_transaction_session_timeout) = (\d+)$/,
    (name = '', value = '0') => ({ is: 'set', statement: { does: 'set', name, value, isLocal: true } }),
  ],
  [
    /^do \$\$ begin if not pg_is_in_recovery\(\) then listen keelson; end if; end \$\$$/,
    () => ({
      is: 'do',
      statements: [{ is: 'listen', statement: { does: 'listen', channel: 'keelson' } }],
      onPrimary: true,
    }),
  ],
  [
    whole(
      `${escaped("select case when pg_is_in_recovery() then 'standby' else pg_xact_status('")}(\\d+)${escaped(`'::xid8) end as status, ${run} as run, ${startedAt}::text as "startedAt"`)}`,
    ),
    (id = '') => ({ is: 'transaction status', id }),
  ],
  [
    whole(
      `${escaped(`select pg_backend_pid() as own, a.pid, a.state, a.wait_event as event, a.backend_start::text || ' ' || a.state_change::text as since, (extract(epoch from clock_timestamp() - a.backend_start) * 1000)::float8::text as "ageMs" from pg_stat_activity me left join pg_stat_activity a on a.pid = any(`)}${slot}${escaped('::int[]) and a.datid = me.datid and a.usesysid = me.usesysid where me.pid = pg_backend_pid()')}`,
    ),
    (pids = '') => ({ is: 'look at backends', pids: slotOf(pids) }),
  ],
  [
    whole(
      `${escaped('select pg_terminate_backend(pid) from pg_stat_activity where pid = ')}${slot}${escaped(`::int and backend_start::text || ' ' || state_change::text = `)}${slot}${escaped(` and state like 'idle%'`)}`,
    ),
    (pid = '', since = '') => ({ is: 'end backend', pid: slotOf(pid), since: slotOf(since) }),
  ],
  [
    whole(
      `${escaped('select pg_terminate_backend(blocker.pid) from pg_stat_activity blocker where pg_backend_pid() = ')}${slot}${escaped('::int and blocker.pid = any(pg_blocking_pids(')}${slot}${escaped(`::int)) and blocker.state = 'idle in transaction' and blocker.state_change < clock_timestamp() - interval '1 second'`)}`,
    ),
    (self = '', of = '') => ({ is: 'end idle blocker', of: slotOf(of), self: slotOf(self) }),
  ],
  [
    /^select \(select system_identifier from pg_control_system\(\)\)::text = (\$1) and case when pg_is_in_recovery\(\) then .* end::text = (\$2) and case when .* end >= (\$3)::pg_lsn as reached$/,
    (system = '', timeline = '', position = '') => ({
      is: 'reached',
      system: slotOf(system),
      timeline: slotOf(timeline),
      position: slotOf(position),
    }),
  ],
  [
    whole(`select pg_sleep\\((\\d+(?:\\.\\d+)?)\\) where ${slot} <> ''`),
    (seconds = '0', unit = '') => ({ is: 'sleep', ms: Number(seconds) * 1_000, unit: slotOf(unit) }),
  ],
  [
    /^select pg_sleep\((\d+(?:\.\d+)?)\)(?: \/\* [\w-]+ \*\/)?$/,
    (seconds = '0') => ({ is: 'sleep', ms: Number(seconds) * 1_000, unit: { literal: null } }),
  ],
  [
    /^select count\(\*\)::int as running from pg_stat_activity where datname = current_database\(\) and state = 'active' and query like '%([\w-]+)%' and pid <> pg_backend_pid\(\)$/,
    (text = '') => ({ is: 'running', text }),
  ],
  [
    /^create table (if not exists )?(?:"[^"]+"\.)?"?(keelson_commit_tokens)"? \(.*\)$/,
    (unless, table = '') => ({ is: 'create table', table, unlessThere: unless !== undefined }),
  ],
  [/^create schema if not exists "\w+"$/, () => ({ is: 'create schema' })],
  [
    whole(`select items from list where key = ${slot} and ${slot} <> ''( for update)?`),
    (key = '', unit = '', lock) => ({
      is: 'read list',
      key: slotOf(key),
      unit: slotOf(unit),
      forUpdate: lock !== undefined,
    }),
  ],
  [
    whole(`select "key", "items" from "list" where ${slot} <> ''`),
    (unit = '') => ({ is: 'read lists', unit: slotOf(unit) }),
  ],
  [
    whole(`update list set items = items \\|\\| ${slot} where key = ${slot}`),
    (item = '', key = '') => ({ is: 'append', key: slotOf(key), item: slotOf(item) }),
  ],
  [
    whole(`update list set items = ${slot} where key = ${slot}`),
    (items = '', key = '') => ({ is: 'set list', key: slotOf(key), items: slotOf(items) }),
  ],
  [
    whole(
      `insert into list \\(key, items\\) values \\(${slot}, ${slot}\\) on conflict \\(key\\) do update set items = list\\.items \\|\\| excluded\\.items`,
    ),
    (key = '', items = '') => ({ is: 'put list', key: slotOf(key), items: slotOf(items) }),
  ],
  [
    whole(`insert into ${tokenTable} \\(token, expires_at\\) values \\(${slot}, ${expiry}\\)`),
    (token = '', keepMs = '0') => ({ is: 'write token', token: slotOf(token), keepMs: Number(keepMs) }),
  ],
  [
    whole(
      `insert into ${tokenTable} as kept \\(token, expires_at, refused\\) values \\(${slot}, ${expiry}, true\\) on conflict \\(token\\) do update set refused = kept\\.refused returning case when refused then 'aborted' else 'committed' end as outcome`,
    ),
    (token = '', keepMs = '0') => ({ is: 'look for token', token: slotOf(token), keepMs: Number(keepMs) }),
  ],
  [
    whole(
      `delete from ${tokenTable} where token in \\(select token from ${tokenTable} where token < ${slot} and expires_at < current_timestamp order by token limit \\d+ for update skip locked\\)`,
    ),
    (before = '') => ({ is: 'clean tokens', before: slotOf(before) }),
  ],
  [whole(`select token, expires_at, refused from ${tokenTable} limit 0`), () => ({ is: 'read no token' })],
  [
    /^insert into "?(\w+)"? \(([\w", ]+)\) values \(([^()]*)\)( returning "?id"?)?$/,
    (table = '', columns = '', values = '', returning) => ({
      is: 'insert',
      table,
      values: new Map(
        columns.split(', ').map((column, at) => {
          const given = values.match(new RegExp(slot, 'g')) ?? [];
          return [column.replaceAll('"', ''), slotOf(given[at] ?? 'null')];
        }),
      ),
      returnsId: returning !== undefined,
    }),
  ],
  [whole(`select unit from ledger where unit = ${slot}`), (unit = '') => ({ is: 'read units', unit: slotOf(unit) })],
  [/^$/, () => ({ is: 'empty' })],
  [
    /^do \$\$ begin raise exception '([^']+)' using errcode = '(\w{5})'; end \$\$$/,
    (message = '', state = '') => ({ is: 'fail', state, message }),
  ],
];

function read(text: string): Command | undefined {
  const sql = normal(text);
  const about = questions.get(sql);
  if (about !== undefined) return { is: 'question', about };
  assertBegins(sql);
  if (rowTable.test(sql)) return readRow(text);
  for (const [pattern, reader] of shapes) {
    const found = pattern.exec(sql);
    if (found !== null) return reader(...found.slice(1));
  }
  return readRow(text);
}

/** Each statement begins with a word for what it does. */
function assertBegins(sql: string): void {
  const first = /^\w+/.exec(sql)?.[0];
  if (first !== undefined && !isStatementWord(first)) throw problems.syntax(first);
}

function readRow(sql: string): Command | undefined {
  const statement = readRows(sql);
  return statement && { is: 'rows', statement };
}

/** @throws Unreadable */
function lockModeIn(words: Words): LockMode {
  words.expect('in');
  const read: string[] = [];
  while (!words.skips('mode')) read.push(words.name());
  const mode = read.join(' ');
  if (!isLockMode(mode)) throw new Unreadable();
  return mode;
}

/** A block of statements that give no rows. */
function readDo(words: Words): Command | undefined {
  const body = /^\s*begin\s([\s\S]*)\send\s*;?\s*$/i.exec(words.text())?.[1];
  if (body === undefined) return undefined;
  const statements = statementsOf(body).map(each => commandOf(each, () => true));
  const isPlain = statements.every(runsInside);
  return isPlain ? { is: 'do', statements, onPrimary: false } : undefined;
}

/** It needs no one who takes its rows, and neither begins nor ends a transaction. */
function runsInside(command: Command): boolean {
  if (command.is === 'listen') return true;
  if (command.is === 'set') return command.statement.does !== 'show';
  if (command.is !== 'rows') return false;
  const { statement } = command;
  return statement.does !== 'select' && (!('returning' in statement) || statement.returning.length === 0);
}

/** The forms that are used less. */
function readTransaction(words: Words): Command | undefined {
  const skipsNoise = () => words.skips('work') || words.skips('transaction');
  const chains = () => !words.skips('and', 'no', 'chain') && words.skips('and', 'chain');
  if (words.skips('start', 'transaction')) {
    return { is: 'begin', modes: modesIn(words), tag: 'START TRANSACTION' };
  }
  if (words.skips('begin')) {
    skipsNoise();
    return { is: 'begin', modes: modesIn(words) };
  }
  if (words.skips('commit') || words.skips('end')) {
    skipsNoise();
    return { is: 'commit', chains: chains() };
  }
  if (words.skips('savepoint')) return { is: 'savepoint', name: words.name() };
  if (words.skips('release')) {
    words.skips('savepoint');
    return { is: 'release', name: words.name() };
  }
  if (!words.skips('rollback') && !words.skips('abort')) return undefined;
  skipsNoise();
  if (!words.skips('to')) return { is: 'rollback', chains: chains() };
  words.skips('savepoint');
  return { is: 'rollback to', name: words.name() };
}

function readWords(words: Words): Command | undefined {
  if (words.skips('do')) return readDo(words);
  const transaction = readTransaction(words);
  if (transaction !== undefined) return transaction;
  const set = readSet(words);
  if (set !== undefined) return { is: 'set', statement: set };
  const listen = readListen(words);
  if (listen !== undefined) return { is: 'listen', statement: listen };
  const object = readObject(words);
  if (object !== undefined) return { is: 'object', statement: object };
  if (words.skips('lock')) {
    words.skips('table');
    const table = words.name();
    return { is: 'lock', table, mode: words.isAtEnd ? 'access exclusive' : lockModeIn(words) };
  }
  if (words.skips('copy')) {
    const statement = readCopy(words);
    return statement && { is: 'copy', statement };
  }
  if (words.skips('select')) return { is: 'select', selection: selectionOf(readSelection(words)) };
  return undefined;
}
