import type { FieldProblem } from '@keelson/core';
import { ValidationError } from '@keelson/database';
import { z } from 'zod';

/** A whole number in a range, with one sentence for any other value. */
export function wholeNumber(lowest: number, highest: number) {
  const message = `must be a whole number from ${lowest} to ${highest}`;
  return z.int(message).min(lowest, message).max(highest, message);
}

/**
 * `input` as `schema` reads it.
 *
 * @throws ValidationError with one entry for each wrong field; over HTTP a 422.
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap(problemsOf);
  throw new ValidationError([...new Map(problems.toReversed().map(each => [each.path, each])).values()].toReversed());
}

function problemsOf(issue: z.core.$ZodIssue): FieldProblem[] {
  const path = pointer(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({ path: path + pointer([key]), message: 'is not a known field' }));
  }
  if (path === '') return [{ path, message: 'must be a JSON object, sent as application/json' }];
  return [{ path, message: issue.message }];
}

/** RFC 6901. */
function pointer(path: readonly PropertyKey[]): string {
  return path.map(part => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
