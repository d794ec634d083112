import { isKeelsonError, KeelsonError } from '@keelson/core';
import { faultFacts } from '../errors/connection-error.js';
import { isConnectionLoss, isDefiniteRefusal, sqlStateOf } from '../errors/sql-state.js';
import { translate } from '../errors/translate.js';

/** What is there of a migration that failed. */
export type Remains =
  | { readonly is: 'nothing' }
  /** It ran outside of a transaction, and failed before or at its statement `at.statement`, which counts from 1. */
  | { readonly is: 'in part'; readonly at: Place | undefined }
  /** It ran outside of a transaction, to its end; the note is missing, or is not known to be there. */
  | { readonly is: 'whole'; readonly isNoted: 'no' | 'unknown' }
  | { readonly is: 'up to its own commit' }
  | { readonly is: 'unknown' };

/** `sent`: the server may have got the statement. */
export interface Place {
  readonly statement: number;
  readonly statements: number;
  readonly sent: boolean;
}

export interface MigrationFailure {
  /** Undefined before the first. */
  readonly migration: string | undefined;
  readonly remains: Remains;
  /** What this run has applied, or taken back, for certain. */
  readonly done: readonly string[];
  readonly error: unknown;
}

/** Says which migration failed, and exactly what of the run is stored. */
export function migrationFailed({ migration, remains, done, error }: MigrationFailure): unknown {
  const cause = translate(error);
  if (isKeelsonError(cause, 'DATABASE_MIGRATION_FAILED') && remains.is === 'nothing') return cause;
  const which = migration === undefined ? 'A migration' : `The migration ${migration}`;
  const reason = sentence(cause instanceof Error ? cause.message : String(cause));
  const before = done.length === 0 ? '' : ` Done before in this run: ${done.join(', ')}.`;
  return new KeelsonError({
    code: 'DATABASE_MIGRATION_FAILED',
    message: `${which} failed${whatRemains(remains, done, error)}: ${reason}${before}`,
    hint: hintFor(remains, error),
    facts: {
      ...(migration !== undefined && { migration }),
      done: [...done],
      ...(remains.is === 'in part' && { statement: remains.at?.statement, statements: remains.at?.statements ?? 0 }),
      ...faultFacts(error),
    },
    cause,
  });
}

function whatRemains(remains: Remains, done: readonly string[], error: unknown): string {
  switch (remains.is) {
    case 'nothing':
      return done.length === 0 ? ' and nothing of this run is stored' : ' and nothing of it is stored';
    case 'in part':
      return `${partOf(remains.at, error)}, and the migration is not recorded as applied`;
    case 'whole':
      return remains.isNoted === 'no'
        ? ', but all of it is stored; it is not recorded as applied'
        : ', but all of it is stored; it is unknown whether it is recorded as applied';
    case 'up to its own commit':
      return ': it ended its transaction itself, so its work until then is stored, and it is not recorded as applied';
    case 'unknown':
      return ', and it is unknown whether it is stored';
  }
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function partOf(at: Place | undefined, error: unknown): string {
  const stored = 'outside a transaction: its work before that is stored';
  if (at === undefined) return `, ${stored}`;
  const where = `${at.sent ? 'at' : 'before'} its statement ${at.statement} of ${at.statements}`;
  const isInDoubt = at.sent && !isDefiniteRefusal(error);
  return ` ${where}, ${stored}${isInDoubt ? ', it is not known whether that statement is done' : ''}`;
}

function hintFor(remains: Remains, error: unknown): string {
  // active_sql_transaction: what it does is only allowed outside of one.
  if (sqlStateOf(error) === '25001') {
    return 'Put that statement into a separate migration whose isTransactional() returns false.';
  }
  switch (remains.is) {
    case 'nothing':
      return isConnectionLoss(error) ? lostHint : 'Fix the migration, or the data that makes it fail, and start again.';
    case 'in part':
      return 'Check the tables: drop incomplete objects (an index may be invalid), or let the migration skip existing objects; then start again.';
    case 'whole':
      return 'Let the migration skip existing objects (if not exists), and start again.';
    case 'up to its own commit':
      return 'Remove commit and rollback from the migration, or let its isTransactional() return false; undo the stored part.';
    case 'unknown':
      return 'Run keelson migrate status when the database answers: a migration that it lists as applied is stored.';
  }
}

const lostHint =
  'Check the database server and the network, raise migrations.timeoutMs if it was too short, and start again.';

/** The transaction that a migration was to run in has ended before it did. */
export class TransactionEndedError extends Error {
  constructor() {
    super('its transaction ended before the migration did.');
  }
}

export function waitedTooLong(timeoutMs: number, done: readonly string[]): KeelsonError {
  const before = done.length === 0 ? '' : ` Done before in this run: ${done.join(', ')}.`;
  return refused({
    message: `Another instance was still migrating after ${timeoutMs} ms.${before}`,
    hint: 'Check that instance, or raise migrations.timeoutMs.',
    facts: { timeoutMs, done: [...done] },
  });
}

export function noSuch(name: string, names: readonly string[]): KeelsonError {
  return refused({
    message: `There is no migration ${name}; nothing was done.`,
    hint: names.length === 0 ? 'No plugin of this service has migrations.' : `Known migrations: ${names.join(', ')}.`,
    facts: { migration: name },
  });
}

export function notHere(name: string): KeelsonError {
  return refused({
    message: `The last migration applied, ${name}, is not part of this version of the service; nothing was done.`,
    hint: 'Undo it with the version of the service that contains it.',
    facts: { migration: name },
  });
}

export function sameName(name: string): KeelsonError {
  return refused({
    message: `Two migrations are named ${name}; nothing was done.`,
    hint: 'Give each class a unique name: the name identifies the migration.',
    facts: { migration: name },
  });
}

export function needsTwoConnections(name: string): KeelsonError {
  return refused({
    message: `The migration ${name} runs outside of a transaction and needs a second connection for the lock; nothing was done.`,
    hint: 'Set pool.max to 2 or more.',
    facts: { migration: name },
  });
}

function refused(parts: { message: string; hint: string; facts: Record<string, unknown> }): KeelsonError {
  return new KeelsonError({ code: 'DATABASE_MIGRATION_FAILED', ...parts });
}
