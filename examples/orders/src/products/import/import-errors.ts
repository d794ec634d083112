import { KeelsonError } from '@keelson/core';

/** The file as a whole cannot be imported; nothing is stored. */
export function importRefused(message: string, cause?: unknown): KeelsonError {
  return new KeelsonError({ code: 'ORDERS_IMPORT_REFUSED', message, cause });
}

/** Some lines were wrong; the list of them was printed before. */
export function linesRefused(bad: number, stored: number): KeelsonError {
  const lines = bad === 1 ? '1 line is wrong' : `${bad} lines are wrong`;
  return new KeelsonError({
    code: 'ORDERS_IMPORT_LINES_REFUSED',
    message: stored === 0 ? `${lines}. Nothing is stored.` : `${lines}; all others are stored.`,
    hint: stored === 0 ? 'Fix the lines, or write --batch 10000 to skip them.' : 'Fix the lines and import them again.',
    facts: { bad, stored },
  });
}

/** Ctrl-C, or an error in the middle. */
export function importStopped(stored: number, lastLine: number, cause: unknown): KeelsonError {
  const what = stored === 0 ? 'Nothing is stored' : `${stored} products are stored, those up to line ${lastLine}`;
  return new KeelsonError({
    code: 'ORDERS_IMPORT_STOPPED',
    message: `The import was stopped. ${what}.`,
    cause,
    facts: { stored, lastLine },
  });
}
