import {
  type DatabaseCapability,
  type IsolationLevel,
  isolationLevels,
  lastingQuestion,
  type Row,
} from '@keelson/database';
import { commitLookupProbe } from '../commit-lookup.js';
import type { Found, Mark } from './found.js';

/** One question to a server. Its statements leave nothing behind, in whichever way they end. */
export interface Probe {
  readonly sql: readonly string[];
  /** What is not believed to be there when the answer is an error, or not the right one. */
  readonly of?: DatabaseCapability;
  /** False when the answer is not the right one. `rows` has the first row of each statement. */
  read(rows: readonly Row[], found: Found): boolean;
}

/** Set by the configuration at the start of a connection. */
export const limitNames = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] as const;

const marks: Readonly<Record<Mark, string>> = {
  citus: `select from pg_extension where extname = 'citus'`,
  aurora: `select from pg_proc where proname = 'aurora_version'`,
  alloydb: `select from pg_settings where name like 'alloydb.%'`,
  neon: `select from pg_settings where name like 'neon.%'`,
};

const inTransaction = (...sql: readonly string[]) => ['begin', ...sql, 'rollback'];

/** A level that is reported as this one or a stronger one was given. */
const reportedAs: Readonly<Record<IsolationLevel, readonly unknown[]>> = {
  'read committed': [...isolationLevels, 'snapshot'],
  'repeatable read': ['repeatable read', 'snapshot', 'serializable'],
  serializable: ['serializable'],
};

const identity: Probe = {
  sql: [`select version() as text, current_setting('server_version') as version, pg_backend_pid() as pid`],
  read([row], found) {
    found.versionText = String(row?.text);
    found.serverVersion = String(row?.version);
    found.backendPid = typeof row?.pid === 'number' ? row.pid : undefined;
    return true;
  },
};

const defaults: Probe = {
  sql: [
    `select current_setting('default_transaction_isolation') as isolation,
      setting = 'on' and source in ('user', 'database user', 'client') as "roleIsReadOnly"
      from pg_settings where name = 'default_transaction_read_only'`,
  ],
  read([row], found) {
    found.isReadCommitted = row?.isolation === 'read committed';
    found.isRoleReadOnly = row?.roleIsReadOnly === true;
    return true;
  },
};

const products: Probe = {
  sql: [
    `select ${Object.entries(marks)
      .map(([name, sql]) => `exists (${sql}) as ${name}`)
      .join(', ')}`,
  ],
  read([row], found) {
    const names = Object.keys(marks) as Mark[];
    found.marks = new Set(names.filter(name => row?.[name] === true));
    return true;
  },
};

const limits: Probe = {
  sql: [
    `select ${limitNames
      .map(name => `(select setting || '/' || coalesce(source, '') from pg_settings where name = '${name}') as ${name}`)
      .join(', ')}`,
  ],
  read([row], found) {
    found.limits = new Map(
      limitNames.map(name => {
        const [setting, source] = String(row?.[name]).split('/');
        return [name, { ms: Number(setting), isOfStartup: source === 'client' }];
      }),
    );
    return true;
  },
};

const triedMs = 12_345;

const serverTimeouts: Probe = {
  of: 'server-timeouts',
  sql: inTransaction(
    ...limitNames.map(name => `set local ${name} = ${triedMs}`),
    `select ${limitNames.map(name => `current_setting('${name}') as ${name}`).join(', ')}`,
  ),
  read(rows) {
    const row = rows.at(-2);
    return limitNames.every(name => String(row?.[name]).startsWith(String(triedMs)));
  },
};

const savepoints: Probe = {
  of: 'savepoints',
  sql: inTransaction('savepoint keelson', 'rollback to savepoint keelson', 'release savepoint keelson'),
  read: () => true,
};

const commitLookup: Probe = {
  of: 'commit-lookup',
  sql: [commitLookupProbe],
  read: ([row]) => row?.works === true,
};

/** Some engines take every lock at once, and hold none. A shared lock does not block another shared lock. */
const sessionLocks: Probe = {
  of: 'session-locks',
  sql: inTransaction(
    'select pg_try_advisory_xact_lock_shared(5431964201735)',
    `select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted) as held`,
  ),
  read: rows => rows[2]?.held === true,
};

/** A standby refuses LISTEN until it is promoted; its kind of server can. */
const listen: Probe = {
  of: 'listen',
  sql: inTransaction('do $$ begin if not pg_is_in_recovery() then listen keelson; end if; end $$'),
  read: () => true,
};

const replicaLag: Probe = {
  of: 'replica-lag',
  sql: [
    `select pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp(),
      exists (select from pg_stat_wal_receiver)`,
  ],
  read: () => true,
};

const lasting: Probe = {
  sql: [lastingQuestion],
  read([row], found) {
    found.lasting = row;
    return true;
  },
};

const levels: readonly Probe[] = isolationLevels.map(level => ({
  sql: [`begin isolation level ${level}`, `select current_setting('transaction_isolation') as level`, 'rollback'],
  read(rows, found) {
    if (reportedAs[level].includes(rows[1]?.level)) found.isolationLevels.add(level);
    return true;
  },
}));

/** Who the server is comes first: the answers to the others are of the same connection. */
export const probes: readonly Probe[] = [
  identity,
  defaults,
  products,
  limits,
  commitLookup,
  serverTimeouts,
  savepoints,
  sessionLocks,
  replicaLag,
  lasting,
  ...levels,
  listen,
];
