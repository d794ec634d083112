import type { CheckReport } from '@keelson/core';
import type { GroupOptions } from './options.js';

/**
 * The checks of a group as it judges them: critical as the group says. A name without a check is a warning, so that a
 * misspelling cannot hide what it was meant to watch.
 */
export function checksOfGroup(group: GroupOptions, checks: readonly CheckReport[]): CheckReport[] {
  const members = checks.filter(check => check.name === 'lifecycle' || matchesAny(group.checks, check.name));
  return [...members.map(check => judgedBy(group, check)), ...unmatched(group, checks).map(missing)];
}

/** The names of a group that no check has. */
export function unmatched(group: GroupOptions, checks: readonly Pick<CheckReport, 'name'>[]): string[] {
  const patterns = [...new Set([...group.checks, ...(group.critical ?? [])])];
  return patterns.filter(pattern => !checks.some(({ name }) => matches(pattern, name)));
}

function judgedBy({ critical }: GroupOptions, check: CheckReport): CheckReport {
  if (critical === undefined || check.name === 'lifecycle') return check;
  return { ...check, critical: matchesAny(critical, check.name) };
}

function missing(pattern: string): CheckReport {
  return { name: pattern, critical: false, status: 'warn', output: 'No check of this name is registered.' };
}

function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some(pattern => matches(pattern, name));
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
