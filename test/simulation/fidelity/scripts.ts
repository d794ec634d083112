import { hermitage } from './hermitage.ts';
import { migrationScripts } from './migration-scripts.ts';
import { rowScripts } from './row-scripts.ts';
import { sessionScripts } from './session-scripts.ts';

/** One step of a script: a statement on one of several sessions. */
export interface Step {
  readonly on: string;
  readonly sql: string;
  readonly values?: readonly (string | null)[];
  /** It is prepared once under this name. */
  readonly name?: string;
  /** It has to wait for another session; its answer is asked for by a later step. */
  readonly blocks?: true;
  /** What is sent when the server asks for data: COPY. */
  readonly sends?: { readonly pieces: readonly (string | Buffer)[]; readonly fails?: true };
  /** The rows are asked for so many at a time, this often; the query may not be at its end then. */
  readonly reads?: { readonly most: number; readonly times: number; readonly pauseMs?: number };
}

/** What is done on a server, the simulated or a real one; both must give the same answers. */
export interface Script {
  readonly name: string;
  readonly steps: readonly (
    | Step
    | { readonly answerOf: string }
    | { readonly waitMs: number }
    | { readonly closes: string }
  )[];
  /** Which of the sessions fails is the choice of the server: their answers are compared as a set. */
  readonly inAnyOrder?: true;
}

const a = (sql: string, ...values: readonly string[]): Step => ({ on: 'a', sql, values });
const b = (sql: string, ...values: readonly string[]): Step => ({ on: 'b', sql, values });
const blocked = (step: Step): Step => ({ ...step, blocks: true });

const put =
  'insert into list (key, items) values ($1, $2) on conflict (key) do update set items = list.items || excluded.items';
const read = "select items from list where key = $1 and $2 <> ''";
const append = 'update list set items = items || $1 where key = $2';
const set = 'update list set items = $1 where key = $2';
const note = 'insert into ledger (unit) values ($1)';
const units = 'select unit from ledger where unit = $1';
const token = '0190d4c8-7a00-7000-8000-00000000000';
const insertToken = `insert into "keelson_commit_tokens" (token, expires_at) values ($1, current_timestamp + interval '1000000 milliseconds')`;
const lookForToken = `insert into "keelson_commit_tokens" as kept (token, expires_at, refused) values ($1, current_timestamp + interval '1000000 milliseconds', true)
on conflict (token) do update set refused = kept.refused
returning case when refused then 'aborted' else 'committed' end as outcome`;

const limitIdle = (to: string) =>
  `select set_config(name, ${to}, false) from pg_settings where name = 'idle_session_timeout'`;

const ownScripts: readonly Script[] = [
  { name: 'a commit', steps: [a('begin'), a(note, 'u1'), b(units, 'u1'), a('commit'), b(units, 'u1')] },
  { name: 'a rollback', steps: [a('begin'), a(note, 'u2'), a('rollback'), b(units, 'u2')] },
  {
    name: 'a failed transaction',
    steps: [
      a('begin'),
      a('insert into thing (id, unit) values ($1, $2)', 'one', 'u3'),
      a('insert into thing (id, unit) values ($1, $2)', 'one', 'u3'),
      a('select 1'),
      a('savepoint s'),
      a('commit'),
      b('insert into thing (id, unit) values ($1, $2)', 'one', 'u3'),
      b('insert into thing (id, unit) values ($1, $2)', 'one', 'u3'),
    ],
  },
  {
    name: 'savepoints',
    steps: [
      a('begin'),
      a(put, 'savepoints', 'u4.1,'),
      a('savepoint one'),
      a(put, 'savepoints', 'u4.2,'),
      a('savepoint two'),
      a('rollback to savepoint three'),
      a('rollback to savepoint one'),
      a(read, 'savepoints', 'u4'),
      a('release savepoint one'),
      a('rollback to savepoint one'),
      a('commit'),
      b(read, 'savepoints', 'u4'),
    ],
  },
  {
    name: 'a savepoint lets go of its locks',
    steps: [
      b(put, 'locks', 'u5.0,'),
      a('begin'),
      a('savepoint one'),
      a(append, 'u5.1,', 'locks'),
      a('rollback to savepoint one'),
      b(append, 'u6.1,', 'locks'),
      a('commit'),
      b(read, 'locks', 'u5'),
    ],
  },
  { name: 'savepoint outside of a block', steps: [a('savepoint one'), a('rollback to savepoint one')] },
  {
    name: 'several commands in one text are one transaction',
    steps: [
      { on: 'a', sql: "insert into ledger (unit) values ('u7'); insert into thing (id, unit) values ('two', 'u7')" },
      { on: 'a', sql: "insert into ledger (unit) values ('u8'); insert into thing (id, unit) values ('two', 'u8')" },
      a(units, 'u7'),
      a(units, 'u8'),
      { on: 'a', sql: "insert into ledger (unit) values ('u9'); begin; insert into ledger (unit) values ('u9')" },
      a('rollback'),
      a(units, 'u9'),
    ],
  },
  {
    name: 'read committed: the second update waits, and sees the first',
    steps: [
      a(put, 'waits', 'u10.0,'),
      a('begin'),
      b('begin'),
      a(append, 'u10.1,', 'waits'),
      blocked(b(append, 'u11.1,', 'waits')),
      a('commit'),
      { answerOf: 'b' },
      b('commit'),
      a(read, 'waits', 'u10'),
    ],
  },
  {
    name: 'repeatable read: the second update fails',
    steps: [
      a(put, 'first wins', 'u12.0,'),
      a('begin isolation level repeatable read'),
      b('begin isolation level repeatable read'),
      a(read, 'first wins', 'u12'),
      b(read, 'first wins', 'u13'),
      a(append, 'u12.1,', 'first wins'),
      blocked(b(append, 'u13.1,', 'first wins')),
      a('commit'),
      { answerOf: 'b' },
      b('commit'),
      a(read, 'first wins', 'u12'),
    ],
  },
  {
    name: 'repeatable read: the second update goes on when the first is undone',
    steps: [
      a(put, 'undone', 'u14.0,'),
      a('begin isolation level repeatable read'),
      b('begin isolation level repeatable read'),
      b(read, 'undone', 'u15'),
      a(append, 'u14.1,', 'undone'),
      blocked(b(append, 'u15.1,', 'undone')),
      a('rollback'),
      { answerOf: 'b' },
      b('commit'),
      a(read, 'undone', 'u14'),
    ],
  },
  {
    name: 'snapshots: read committed takes one for each statement, repeatable read one for all',
    steps: [
      a(put, 'snapshots', 'u16.0,'),
      a('begin isolation level repeatable read'),
      a(read, 'snapshots', 'u16'),
      b(put, 'snapshots', 'u17.0,'),
      a(read, 'snapshots', 'u16'),
      a('commit'),
      a('begin'),
      a(read, 'snapshots', 'u16'),
      b(put, 'snapshots', 'u18.0,'),
      a(read, 'snapshots', 'u16'),
      a('commit'),
    ],
  },
  {
    name: 'write skew: repeatable read lets it happen',
    steps: [
      a(put, 'left', 'u19.0,'),
      a(put, 'right', 'u19.0,'),
      a('begin isolation level repeatable read'),
      b('begin isolation level repeatable read'),
      a(read, 'left', 'u20'),
      b(read, 'right', 'u21'),
      a(set, 'u20.1,', 'right'),
      b(set, 'u21.1,', 'left'),
      a('commit'),
      b('commit'),
    ],
  },
  {
    name: 'write skew: serializable refuses one of the two',
    steps: [
      a(put, 'up', 'u22.0,'),
      a(put, 'down', 'u22.0,'),
      a('begin isolation level serializable'),
      b('begin isolation level serializable'),
      a(read, 'up', 'u23'),
      b(read, 'down', 'u24'),
      a(set, 'u23.1,', 'down'),
      b(set, 'u24.1,', 'up'),
      a('commit'),
      b('commit'),
    ],
  },
  {
    name: 'serializable without a conflict',
    steps: [
      a(put, 'east', 'u25.0,'),
      a(put, 'west', 'u25.0,'),
      a('begin isolation level serializable'),
      b('begin isolation level serializable'),
      a(read, 'east', 'u26'),
      b(read, 'west', 'u27'),
      a(set, 'u26.1,', 'east'),
      b(set, 'u27.1,', 'west'),
      a('commit'),
      b('commit'),
    ],
  },
  {
    name: 'for update waits, and gives what is stored then',
    steps: [
      a(put, 'claimed', 'u28.0,'),
      a('begin'),
      b('begin'),
      a(`${read} for update`, 'claimed', 'u28'),
      blocked(b(`${read} for update`, 'claimed', 'u29')),
      a(append, 'u28.1,', 'claimed'),
      a('commit'),
      { answerOf: 'b' },
      b('commit'),
    ],
  },
  {
    name: 'a deadlock ends one of the two',
    inAnyOrder: true,
    steps: [
      a(put, 'this', 'u30.0,'),
      a(put, 'that', 'u30.0,'),
      a('begin'),
      b('begin'),
      a(append, 'u31.1,', 'this'),
      b(append, 'u32.1,', 'that'),
      blocked(a(append, 'u31.1,', 'that')),
      blocked(b(append, 'u32.1,', 'this')),
      { answerOf: 'a' },
      { answerOf: 'b' },
      a('rollback'),
      b('rollback'),
    ],
  },
  {
    name: 'a lock timeout',
    steps: [
      a(put, 'locked', 'u33.0,'),
      a('begin'),
      a(append, 'u33.1,', 'locked'),
      b('begin'),
      b('set local lock_timeout = 50'),
      b(append, 'u34.1,', 'locked'),
      b('rollback'),
      a('commit'),
      b(append, 'u34.1,', 'locked'),
    ],
  },
  {
    name: 'a statement timeout',
    steps: [
      a('begin'),
      a('set local statement_timeout = 50'),
      a("select pg_sleep(2) where $1 <> ''", 'u35'),
      a('rollback'),
      a("select pg_sleep(0.01) where $1 <> ''", 'u35'),
    ],
  },
  {
    name: 'an idle session is ended, when that was not taken back',
    steps: [
      a(limitIdle("'50'")),
      a('select pg_try_advisory_lock(4711)'),
      b(limitIdle("'50'")),
      b(limitIdle('reset_val')),
      { waitMs: 400 },
      b('select pg_try_advisory_lock(4711)'),
      b('select pg_advisory_unlock(4711)'),
    ],
  },
  {
    name: 'an idle transaction is ended',
    steps: [
      a(put, 'idle', 'u36.0,'),
      a('begin'),
      a('set local idle_in_transaction_session_timeout = 50'),
      a(append, 'u36.1,', 'idle'),
      { waitMs: 400 },
      b(append, 'u37.1,', 'idle'),
      b(read, 'idle', 'u37'),
    ],
  },
  {
    name: 'a read-only transaction',
    steps: [
      a('begin read only'),
      a(read, 'read only', 'u38'),
      a(note, 'u38'),
      a('rollback'),
      a('begin isolation level repeatable read read only'),
      a(`${read} for update`, 'read only', 'u38'),
      a('rollback'),
    ],
  },
  {
    name: 'tokens',
    steps: [
      a('begin'),
      a(insertToken, `${token}1`),
      a('commit'),
      b(lookForToken, `${token}1`),
      b(lookForToken, `${token}1`),
      b(lookForToken, `${token}2`),
      b(lookForToken, `${token}2`),
      a('begin'),
      a(insertToken, `${token}2`),
      a('rollback'),
      a('begin'),
      a(insertToken, `${token}3`),
      blocked(b(lookForToken, `${token}3`)),
      a('commit'),
      { answerOf: 'b' },
      a('begin'),
      a(insertToken, `${token}4`),
      blocked(b(lookForToken, `${token}4`)),
      a('rollback'),
      { answerOf: 'b' },
    ],
  },
  {
    name: 'a unit that inserts what another has inserted and not committed waits for it',
    steps: [
      a('begin'),
      a('insert into thing (id, unit) values ($1, $2)', 'three', 'u39'),
      blocked(b('insert into thing (id, unit) values ($1, $2)', 'three', 'u40')),
      a('commit'),
      { answerOf: 'b' },
      a('begin'),
      a('insert into thing (id, unit) values ($1, $2)', 'four', 'u39'),
      blocked(b('insert into thing (id, unit) values ($1, $2)', 'four', 'u40')),
      a('rollback'),
      { answerOf: 'b' },
    ],
  },
  {
    name: 'a table that is not there',
    steps: [a('insert into nowhere (id, unit) values ($1, $2)', 'five', 'u41'), a('select 1')],
  },
];

export const scripts: readonly Script[] = [
  ...ownScripts,
  ...rowScripts,
  ...migrationScripts,
  ...sessionScripts,
  ...hermitage,
];
