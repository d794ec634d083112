import { formatOrigin, type Origin, type Place } from './place.js';

/** One thing that is wrong, or about to be, with what an operator needs to put it right. */
export interface Problem {
  /** A code of docs/errors.md. */
  readonly code: string;
  /** One sentence. Holds no secret. */
  readonly message: string;
  /** The key it is about: `plugins.database.pool.max`. */
  readonly path?: string;
  readonly origin?: Origin;
  /** The given value; left out for secrets and unknown keys. */
  readonly value?: string;
  /** The allowed values: `a whole number from 1 to 100`. */
  readonly allowed?: string;
  /** The name it was probably meant to be. */
  readonly nearest?: string;
  /** What to do. */
  readonly action?: string;
}

/** What was found on the way, so that all of it can be reported at once. */
export interface Findings {
  readonly problems: readonly Problem[];
  /** Things that still work and should be changed. */
  readonly warnings: readonly Problem[];
}

export function joinFindings(...all: readonly Partial<Findings>[]): Findings {
  return {
    problems: all.flatMap(({ problems = [] }) => problems),
    warnings: all.flatMap(({ warnings = [] }) => warnings),
  };
}

/** True when something is wrong at `path`, above it or below it; nothing more needs to be said there. */
export function isReported(path: string, problems: readonly Problem[]): boolean {
  return problems.some(
    problem =>
      problem.path !== undefined &&
      (problem.path === path || path.startsWith(`${problem.path}.`) || problem.path.startsWith(`${path}.`)),
  );
}

/** By file, line and column; those without a place in a file first, in the order in which they were found. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => {
    const [left, right] = [placeOf(a), placeOf(b)];
    if (left === undefined || right === undefined) return Number(left !== undefined) - Number(right !== undefined);
    const byFile = left.file.length - right.file.length || left.file.localeCompare(right.file);
    return byFile || (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0);
  });
}

function placeOf({ origin }: Problem): Place | undefined {
  return origin?.from === 'file' ? origin.place : undefined;
}

/** The problem in a few lines: where, what, and what to do. */
export function formatProblem(problem: Problem): string {
  const where = problem.origin === undefined ? '' : `${formatOrigin(problem.origin)}  `;
  const lines = [`${where}${problem.code}`, `  ${problem.message}`];
  if (problem.allowed !== undefined) lines.push(`  Allowed: ${problem.allowed}.`);
  if (problem.nearest !== undefined) lines.push(`  Did you mean ${problem.nearest}?`);
  if (problem.action !== undefined) lines.push(`  -> ${problem.action}`);
  return lines.join('\n');
}
