import type { Statement } from './driver.js';

/**
 * Whether a batch must be sent with the extended protocol instead of as one simple query. Only the extended protocol has
 * parameters, and runs the statements before one with a syntax error. Only a simple query takes several commands in one text.
 */
export function needsExtendedProtocol(statements: readonly Statement[]): boolean {
  if (statements.some(({ parameters }) => (parameters?.length ?? 0) > 0)) return true;
  const suspects = statements.filter(({ sql }) => sql.includes(';'));
  if (suspects.some(({ isOne, sql }) => isOne === true && !hasOneAtItsEnd(sql))) return true;
  return suspects.length === 0 && statements.some(({ readAlone }) => readAlone === true);
}

/** Its only semicolon is its last character, so it is one command, or a mistake that the server refuses in either way. */
function hasOneAtItsEnd(sql: string): boolean {
  return sql.indexOf(';') === sql.trimEnd().length - 1;
}
