import type { FieldProblem } from '@keelson/core';
import type { z } from 'zod';

/** One problem for each wrong field: the first that the schema reports of it. */
export function fieldProblems(issues: readonly z.core.$ZodIssue[], at: Pick<FieldProblem, 'in'> = {}): FieldProblem[] {
  const byPath = new Map<string, FieldProblem>();
  for (const problem of issues.flatMap(issue => problemsOf(issue))) {
    if (!byPath.has(problem.path)) byPath.set(problem.path, { ...problem, ...at });
  }
  return [...byPath.values()];
}

function problemsOf(issue: z.core.$ZodIssue): FieldProblem[] {
  const path = pointer(issue.path);
  if (issue.code !== 'unrecognized_keys') return [{ path, message: messageOf(issue) }];
  return issue.keys.map(key => ({ path: path + pointer([key]), message: 'is not a known field' }));
}

/** The message of the schema; zod's own begins with a capital letter, and those of services need not. */
function messageOf({ message }: z.core.$ZodIssue): string {
  return message;
}

/** RFC 6901. */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map(part => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
