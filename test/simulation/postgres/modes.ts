import type { Backend } from './backend.ts';
import type { Settings } from './settings.ts';
import { SqlError } from './sql-error.ts';
import type { Isolation } from './store.ts';
import { Unreadable, type Words } from './words.ts';

/** Of one transaction; what is left out stays as it is. */
export interface Modes {
  readonly isolation?: Isolation | undefined;
  readonly readOnly?: boolean;
  readonly deferrable?: boolean;
}

const isolations: readonly Isolation[] = ['read committed', 'repeatable read', 'serializable'];

/** `isolation level serializable, read write`, with or without commas; maybe nothing. @throws Unreadable */
export function modesIn(words: Words): Modes {
  let modes: Modes = {};
  for (let next = modeIn(words); next !== undefined; next = modeIn(words)) {
    modes = { ...modes, ...next };
    words.skips(',');
  }
  return modes;
}

function modeIn(words: Words): Modes | undefined {
  if (words.skips('read', 'only')) return { readOnly: true };
  if (words.skips('read', 'write')) return { readOnly: false };
  if (words.skips('deferrable')) return { deferrable: true };
  if (words.skips('not', 'deferrable')) return { deferrable: false };
  if (!words.skips('isolation', 'level')) return undefined;
  const isolation = isolations.find(level => words.skips(...level.split(' ')));
  if (isolation === undefined) throw new Unreadable();
  return { isolation };
}

/** @throws SqlError for what cannot be changed any more. */
export function setModes(on: Backend, { isolation, readOnly, deferrable }: Modes): void {
  const transaction = on.current();
  const isLate = transaction.snapshot !== undefined;
  const isInside = transaction.savepoints.length > 0;
  if (isolation !== undefined && isolation !== transaction.isolation) {
    if (isLate) throw tooLate('SET TRANSACTION ISOLATION LEVEL must be called before any query');
    if (isInside) throw tooLate('SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction');
    transaction.isolation = isolation;
  }
  if (readOnly === false && on.isReadOnlyTransaction) {
    if (isLate) throw tooLate('transaction read-write mode must be set before any query');
    if (on.server.isStandby) throw new SqlError('0A000', 'cannot set transaction read-write mode during recovery');
  }
  if (readOnly !== undefined) on.isReadOnlyTransaction = readOnly;
  if (deferrable === undefined) return;
  if (isInside) throw tooLate('SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction');
  if (isLate) throw tooLate('SET TRANSACTION [NOT] DEFERRABLE must be called before any query');
  on.isDeferrableTransaction = deferrable;
}

function tooLate(message: string): SqlError {
  return new SqlError('25001', message);
}

/** What a transaction begins with. */
export function isolationOf(settings: Settings): Isolation {
  return isolationNamed(settings.get('default_transaction_isolation'));
}

export function isolationNamed(name: string | undefined): Isolation {
  return isolations.find(isolation => isolation === name) ?? 'read committed';
}
