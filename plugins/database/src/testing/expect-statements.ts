import { AssertionError } from 'node:assert';
import type { DatabaseService } from '../database-service.js';
import type { StatementReport } from '../statements/statement-log.js';

/**
 * Runs `work` and fails when its sessions have run another number of statements than `expected`: a loop that loads one row at a
 * time is found when it is written. BEGIN, COMMIT and savepoints do not count; whatever else the database runs meanwhile does.
 *
 * ```ts
 * const orders = await expectStatements(database, 2, () => book.listWithProducts());
 * ```
 *
 * @throws AssertionError with the number and the shapes of the statements; and what `work` threw.
 */
export async function expectStatements<T>(
  database: Pick<DatabaseService, 'onStatement'>,
  expected: number,
  work: () => Promise<T>,
): Promise<T> {
  const seen: StatementReport[] = [];
  using _watch = database.onStatement(report => seen.push(report));
  const result = await work();
  if (seen.length === expected) return result;
  throw new AssertionError({
    message: [`${seen.length} statements ran, not ${expected}:`, ...countsOf(seen)].join('\n'),
    actual: seen.length,
    expected,
    operator: 'expectStatements',
  });
}

function countsOf(seen: readonly StatementReport[]): string[] {
  const counts = new Map<string, number>();
  for (const { shape, session } of seen) {
    const line = `${shape.text}  (session ${session})`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].map(([line, count]) => `  ${count} x ${line}`);
}
