import { isKeelsonError } from '@keelson/core';
import type { QueryErrorKind } from './query-error.js';
import { translate } from './translate.js';

/** What the error must be about; what is left out may be anything. */
export interface QueryErrorMatch {
  readonly kind?: QueryErrorKind;
  /** Names as the server has them. */
  readonly constraint?: string;
  readonly table?: string;
  readonly column?: string;
}

/**
 * True for an error that says that the server refused a statement, and why: also inside a session, where it still is the
 * error of MikroORM. False for errors of other databases and of other code.
 */
export function isQueryError(error: unknown, match: QueryErrorMatch = {}): boolean {
  const translated = translate(error);
  if (!isKeelsonError(translated, 'DATABASE_QUERY_FAILED')) return false;
  const { facts } = translated;
  return Object.entries(match).every(([name, value]) => value === undefined || facts[name] === value);
}
