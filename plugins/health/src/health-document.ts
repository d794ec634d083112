import type { CheckReport, HealthReport, HealthStatus } from '@keelson/core';
import type { HealthDetails } from './options.js';

export interface DocumentOptions {
  readonly details: HealthDetails;
  readonly releaseId?: string | undefined;
}

/** The checks that keep a service that is ready from passing. */
function degradedBy({ status, checks }: HealthReport): string[] {
  return status === 'warn' ? checks.filter(check => check.status !== 'pass').map(({ name }) => name) : [];
}

/**
 * `report` in the members of draft-inadarei-api-health-check-06, as `application/health+json`. A check that passes has
 * no `output`, as section 4.8 asks.
 */
export function healthDocument(report: HealthReport, notes: readonly string[], options: DocumentOptions): object {
  const degraded = degradedBy(report);
  return {
    status: report.status,
    ...(options.releaseId === undefined ? {} : { releaseId: options.releaseId }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(options.details === 'none' || degraded.length === 0 ? {} : { degraded }),
    ...(options.details === 'none' ? {} : { checks: checksMember(report.checks, options.details) }),
  };
}

function checksMember(checks: readonly CheckReport[], details: HealthDetails): Record<string, object[]> {
  return Object.fromEntries(checks.map(check => [memberName(check), [checkMember(check, details)]]));
}

/** `<component>:<measurement>` when something was measured, else the component alone. */
function memberName(check: CheckReport): string {
  return check.durationMs === undefined ? check.name : `${check.name}:responseTime`;
}

function checkMember(check: CheckReport, details: HealthDetails): object {
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
  details: HealthDetails,
): string {
  const checks = details === 'none' ? [] : [...report.checks.map(checkLine), ...excluded.map(excludedLine)];
  const degraded = details === 'none' ? [] : degradedBy(report);
  const passed = degraded.length === 0 ? 'passed' : `passed, degraded by ${degraded.join(', ')}`;
  const outcome = report.status === 'fail' ? 'failed' : passed;
  return [...checks, ...notes.map(note => `warning: ${note}`), `${probe} check ${outcome}`, ''].join('\n');
}

function checkLine(check: CheckReport): string {
  const reason = check.status === 'pass' || check.output === undefined ? '' : `: ${check.output}`;
  return `${marks[check.status]}${check.name} ${words[check.status]}${reason}`;
}

function excludedLine(check: CheckReport): string {
  return `[+]${check.name} excluded: ok`;
}
