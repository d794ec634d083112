import { type Facts, KeelsonError, type ProblemDocument } from '@keelson/core';
import { causeOf } from './connection-error.js';
import { type ServerDetails, serverDetailsOf, sqlStateOf } from './sql-state.js';

export type QueryErrorKind =
  | 'unique'
  | 'foreign-key'
  | 'not-null'
  | 'check'
  | 'exclusion'
  | 'serialization'
  | 'deadlock'
  | 'lock-timeout'
  | 'statement-timeout'
  | 'cancelled'
  | 'read-only'
  | 'disk-full'
  | 'out-of-resources'
  | 'foreign-server'
  | 'insufficient-privilege'
  | 'undefined-table'
  | 'undefined-column'
  | 'syntax'
  | 'invalid-value'
  | 'too-large'
  | 'other';

interface KindRule {
  readonly kind: QueryErrorKind;
  /** For the person on call. */
  readonly says: string;
  readonly hint: string;
  /** For the user of the service; without it a bare 500. */
  readonly http?: Pick<ProblemDocument, 'status' | 'title' | 'detail' | 'retryAfterMs'>;
}

const conflict = (detail: string) => ({ status: 409, title: 'Conflict', detail });
const busy = (detail: string) => ({ status: 503, title: 'Service Unavailable', detail, retryAfterMs: 1_000 });
const tryAgain = 'Another request changed the same data at the same time. Please try again.';
const runTheMigrations =
  'Run the migrations: keelson migrate up. It runs only those that the plugin names in its DatabaseModel: see keelson migrate status.';

/** SQLSTATE -> kind. Source: PostgreSQL 18 manual, appendix A. */
const kinds: ReadonlyMap<string, KindRule> = new Map<string, KindRule>([
  [
    '23505',
    {
      kind: 'unique',
      says: 'A unique constraint was violated',
      hint: 'The value exists already.',
      http: conflict('It exists already.'),
    },
  ],
  [
    '23503',
    {
      kind: 'foreign-key',
      says: 'A foreign key was violated',
      hint: 'Check both tables: the row that the key refers to is missing, or other rows still refer to the row.',
      http: conflict('It refers to something that does not exist, or something else still refers to it.'),
    },
  ],
  [
    '23001',
    {
      kind: 'foreign-key',
      says: 'Other rows still refer to a row',
      hint: 'First remove the rows that refer to it.',
      http: conflict('Something still refers to it.'),
    },
  ],
  [
    '22021',
    {
      kind: 'invalid-value',
      says: 'A text holds a character that PostgreSQL cannot store',
      hint: 'Refuse NUL characters and half surrogate pairs when you validate the input.',
      http: { status: 422, title: 'Unprocessable Content', detail: 'A text holds a character that cannot be stored.' },
    },
  ],
  [
    '08P01',
    {
      kind: 'other',
      says: 'The server could not read a message',
      hint: 'Check the log of the database server, and the network between the server and the service.',
    },
  ],
  [
    '23502',
    {
      kind: 'not-null',
      says: 'A value that may not be null was null',
      hint: 'Validate the input before it is stored.',
      http: { status: 422, title: 'Unprocessable Content', detail: 'A required value is missing.' },
    },
  ],
  [
    '23514',
    {
      kind: 'check',
      says: 'A check constraint was violated',
      hint: 'Validate the input before it is stored.',
      http: { status: 422, title: 'Unprocessable Content', detail: 'A value is not allowed.' },
    },
  ],
  [
    '23P01',
    {
      kind: 'exclusion',
      says: 'An exclusion constraint was violated',
      hint: 'The value conflicts with an existing row.',
      http: conflict('It conflicts with something that exists.'),
    },
  ],
  [
    '40001',
    {
      kind: 'serialization',
      says: 'The transaction could not be serialized',
      hint: 'Run the whole unit again.',
      http: { ...conflict(tryAgain), retryAfterMs: 1_000 },
    },
  ],
  [
    '40P01',
    {
      kind: 'deadlock',
      says: 'The server ended the transaction to resolve a deadlock',
      hint: 'Lock rows in the same order everywhere.',
      http: { ...conflict(tryAgain), retryAfterMs: 1_000 },
    },
  ],
  [
    '55P03',
    {
      kind: 'lock-timeout',
      says: 'A lock was not released in time',
      hint: 'Find the transaction that holds the lock (pg_locks).',
      http: busy('The data is in use. Please try again.'),
    },
  ],
  [
    '57014',
    {
      kind: 'statement-timeout',
      says: 'A statement exceeded its time limit',
      hint: 'Check its plan, or give the session a longer statement timeout.',
      http: busy('The request took too long.'),
    },
  ],
  [
    '25006',
    {
      kind: 'read-only',
      says: 'A write was refused: the transaction or the server is read-only',
      hint: 'Use session() instead of read(); after a failover, connect to the primary.',
    },
  ],
  [
    '53100',
    {
      kind: 'disk-full',
      says: 'The disk of the database server is full',
      hint: 'Free space on the database server.',
      http: busy('Nothing can be stored at the moment.'),
    },
  ],
  [
    '42501',
    {
      kind: 'insufficient-privilege',
      says: 'The database user lacks a privilege',
      hint: 'Grant the privilege, or use another user.',
    },
  ],
  ['42P01', { kind: 'undefined-table', says: 'A table does not exist', hint: runTheMigrations }],
  ['42703', { kind: 'undefined-column', says: 'A column does not exist', hint: runTheMigrations }],
  ['42601', { kind: 'syntax', says: 'A statement is not valid SQL', hint: 'Check the query that the code builds.' }],
]);

/** SQLSTATE classes, for codes without a row of their own. */
const classKinds: ReadonlyMap<string, KindRule> = new Map<string, KindRule>([
  [
    '08',
    {
      kind: 'foreign-server',
      says: 'The server could not reach another server that it depends on',
      hint: 'Check the servers of the foreign tables, and the log of the database server.',
      http: busy('Something that the request depends on cannot be reached.'),
    },
  ],
  [
    '22',
    {
      kind: 'invalid-value',
      says: 'A value does not fit its type',
      hint: 'Validate the input before it is stored.',
      http: { status: 422, title: 'Unprocessable Content', detail: 'A value is not valid.' },
    },
  ],
  [
    '44',
    {
      kind: 'check',
      says: 'The check option of a view was violated',
      hint: 'Validate the input before it is stored.',
      http: { status: 422, title: 'Unprocessable Content', detail: 'A value is not allowed.' },
    },
  ],
  [
    '53',
    {
      kind: 'out-of-resources',
      says: 'The server lacks the memory, the locks or the connections that a statement needs',
      hint: 'Check which memory, locks and connections the statement needs, then the limits of the server.',
      http: busy('The request needs more resources than are available at the moment.'),
    },
  ],
  [
    '54',
    {
      kind: 'too-large',
      says: 'A value or a statement is larger than a limit of PostgreSQL',
      hint: 'Limit the size of the input; an index row holds about 2,700 bytes.',
      http: { status: 422, title: 'Unprocessable Content', detail: 'A value is too large.' },
    },
  ],
]);

const other: KindRule = {
  kind: 'other',
  says: 'The database refused a statement',
  hint: 'Look up the SQLSTATE in appendix A of the PostgreSQL manual.',
};

export interface QueryErrorFacts extends ServerDetails {
  readonly kind: QueryErrorKind;
  readonly sqlState?: string;
  /** Of a batch: which item the server refused, from 0. */
  readonly itemIndex?: number;
  /** Of a batch, when it is not known which item: the first and the last that it can be. */
  readonly firstItem?: number;
  readonly lastItem?: number;
}

/**
 * The server was reached and refused a statement. Has the kind of the refusal and the names of table, column and
 * constraint; never SQL, and never a value. `http` holds a sentence that a user may see.
 */
export class QueryError extends KeelsonError {
  declare readonly facts: QueryErrorFacts & Readonly<Record<string, unknown>>;

  constructor(error: unknown, more: Facts = {}) {
    const sqlState = sqlStateOf(error);
    const rule = ruleFor(sqlState, error);
    const details = serverDetailsOf(error);
    super({
      code: 'DATABASE_QUERY_FAILED',
      message: `${rule.says}${namesOf(details)}${itemOf(more)} (SQLSTATE ${sqlState ?? 'unknown'}).`,
      hint: rule.hint,
      facts: { kind: rule.kind, ...(sqlState !== undefined && { sqlState }), ...details, ...more },
      cause: causeOf(error),
      ...(rule.http && { http: rule.http }),
    });
  }

  get kind(): QueryErrorKind {
    return this.facts.kind;
  }
}

const cancelled: KindRule = {
  kind: 'cancelled',
  says: 'A person or a program cancelled a statement on the server',
  hint: 'Find out who ran pg_cancel_backend, or look for a recovery conflict on a standby.',
  http: busy('The request was cancelled. Please try again.'),
};

/** 57014 stands for both; only the message distinguishes them, and only in English. */
function wasTimeout(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return message.includes('timeout') || !message.includes('user request');
}

function ruleFor(sqlState: string | undefined, error: unknown): KindRule {
  if (sqlState === undefined) return other;
  if (sqlState === '57014' && !wasTimeout(error)) return cancelled;
  return kinds.get(sqlState) ?? classKinds.get(sqlState.slice(0, 2)) ?? other;
}

function itemOf({ itemIndex, firstItem, lastItem }: Facts): string {
  if (itemIndex !== undefined) return `, by item ${itemIndex} of the batch`;
  return firstItem === undefined ? '' : `, by one of the items ${firstItem} to ${lastItem} of the batch`;
}

function namesOf({ table, column, constraint }: ServerDetails): string {
  const names = [
    constraint !== undefined && `constraint ${constraint}`,
    column !== undefined && `column ${column}`,
    table !== undefined && `table ${table}`,
  ].filter(name => name !== false);
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}
