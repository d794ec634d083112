import { KeelsonError, type Logger } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';

/** Compares the schema at the start. With `warn` the service starts whatever comes of it; with `fail` it does not. */
export async function checkSchema(
  database: Pick<DatabaseService, 'validateSchema'>,
  mode: 'off' | 'warn' | 'fail',
  logger: Logger,
): Promise<void> {
  if (mode === 'off') return;
  const { status, differences } = await database.validateSchema();
  if (status === 'valid') return;
  const failures = differences.filter(({ severity }) => severity === 'failure').map(({ message }) => message);
  if (mode === 'fail') throw different(failures);
  logger.warn('the schema differs from the entities', { count: failures.length, differences: failures });
}

function different(failures: readonly string[]): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_SCHEMA_DIFFERENT',
    message: `The schema of the database differs from the entities: ${failures.join(' ')}`,
    hint: 'Run the migrations of this version (keelson migrate up), or write the missing migration.',
    facts: { differences: failures },
  });
}
