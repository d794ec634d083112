import { KeelsonError } from '@keelson/core';
import type { DatabaseService } from '../database-service.js';
import type { StatementOfShape } from './noted-statements.js';
import { withParameters } from './statement-shape.js';

const explained = /^\s*(?:select|insert|update|delete|merge|with|values)\b/i;
const timeoutMs = 5_000;

/**
 * The plan that the server makes for the shape of `statement`, whatever its values are. Runs nothing of it, in a session that
 * is read-only; the values that were in its text are parameters.
 *
 * @throws KeelsonError DATABASE_EXPLAIN_FAILED when the server cannot plan it without its values.
 */
export async function explain(database: DatabaseService, { shape, sql }: StatementOfShape): Promise<string> {
  if (!explained.test(sql)) throw failed(shape.id, 'It is a command that has no plan.');
  const text = `explain (generic_plan) ${withParameters(sql)}`;
  try {
    const rows = await database.read(em => em.execute<Record<string, unknown>[]>(text), {
      name: 'explain',
      nested: 'separate',
      fresh: true,
      timeoutMs,
    });
    return rows.map(row => String(Object.values(row)[0])).join('\n');
  } catch (error) {
    throw failed(shape.id, 'The server did not plan it without its values.', error);
  }
}

function failed(shape: string, why: string, cause?: unknown): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_EXPLAIN_FAILED',
    message: `The statement ${shape} cannot be explained. ${why}`,
    hint: "A plan without values needs PostgreSQL 16 or newer, and the right to read the tables. When a type stands before a text (interval '1 day'), write a cast after the text instead.",
    facts: { shape },
    cause,
  });
}
