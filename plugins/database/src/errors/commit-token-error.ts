import { KeelsonError } from '@keelson/core';
import { causeOf, faultFacts, labelOf } from './connection-error.js';
import { sqlStateOf } from './sql-state.js';

/** The tokens of transactions cannot be written or looked up: found at the start, before there is a request. */
export class CommitTokenError extends KeelsonError {
  constructor(
    table: { readonly name: string; readonly ddl: string; readonly grants: string },
    what: 'made' | 'used',
    error: unknown,
  ) {
    const needed = what === 'made' ? [table.ddl, table.grants] : [table.grants];
    super({
      code: 'DATABASE_COMMIT_TOKENS',
      message: `The table of commit tokens ${table.name} cannot be ${what} (${labelOf(error)}).`,
      hint: `${hintOf(error, needed)} Or set commitProof to another proof.`,
      facts: { table: table.name, ...faultFacts(error) },
      cause: causeOf(error),
    });
  }
}

function hintOf(error: unknown, needed: readonly string[]): string {
  const state = sqlStateOf(error) ?? '';
  if (state === '25006') return 'Use a server that accepts writes, and a role that may write.';
  if (otherShape.has(state)) return 'Set commitTokens.tableName to another table: this one has different columns.';
  return `Run as the owner of the table, or as a role that may create it: ${needed.join('; ')}.`;
}

/** No such column, another type, no such key, not a table. */
const otherShape = new Set(['42703', '42804', '42P10', '42809', '23502', '23514']);
