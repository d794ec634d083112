import type { CheckReport, HealthReport, HealthStatus } from '@keelson/core';
import type { HealthOptions } from './options.js';

type Details = HealthOptions['details'];

/**
 * `report` in the members of draft-inadarei-api-health-check-06, as `application/health+json`. A check that passes has
 * no `output`, as section 4.8 asks.
 */
export function healthDocument(report: HealthReport, notes: readonly string[], options: HealthOptions): object {
  return {
    status: report.status,
    ...(options.releaseId === undefined ? {} : { releaseId: options.releaseId }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(options.details === 'none' ? {} : { checks: checksMember(report.checks, options.details) }),
  };
}

function checksMember(checks: readonly CheckReport[], details: Details): Record<string, object[]> {
  return Object.fromEntries(checks.map(check => [memberName(check), [checkMember(check, details)]]));
}

/** `<component>:<measurement>` when something was measured, else the component alone. */
function memberName(check: CheckReport): string {
  return check.durationMs === undefined ? check.name : `${check.name}:responseTime`;
}

function checkMember(check: CheckReport, details: Details): object {
  return {
    componentType: 'component',
    status: check.status,
    critical: check.critical,
    ...(check.durationMs === undefined ? {} : { observedValue: Math.round(check.durationMs), observedUnit: 'ms' }),
    ...(check.observedAt === undefined ? {} : { time: check.observedAt.toISOString() }),
    ...(check.status === 'pass' || check.output === undefined ? {} : { output: check.output }),
    ...(details === 'facts' && check.facts !== undefined ? { facts: check.facts } : {}),
  };
}

const marks: Record<HealthStatus, string> = { pass: '[+]', warn: '[!]', fail: '[-]' };
const words: Record<HealthStatus, string> = { pass: 'ok', warn: 'warning', fail: 'failed' };

/** `report` as the Kubernetes API server writes it: one line for each check, then the outcome. */
export function verboseText(
  probe: string,
  report: HealthReport,
  excluded: readonly CheckReport[],
  notes: readonly string[],
  details: Details,
): string {
  const checks = details === 'none' ? [] : [...report.checks.map(checkLine), ...excluded.map(excludedLine)];
  const outcome = report.status === 'fail' ? 'failed' : 'passed';
  return [...checks, ...notes.map(note => `warning: ${note}`), `${probe} check ${outcome}`, ''].join('\n');
}

function checkLine(check: CheckReport): string {
  const reason = check.status === 'pass' || check.output === undefined ? '' : `: ${check.output}`;
  return `${marks[check.status]}${check.name} ${words[check.status]}${reason}`;
}

function excludedLine(check: CheckReport): string {
  return `[+]${check.name} excluded: ok`;
}
