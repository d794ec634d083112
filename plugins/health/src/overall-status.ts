import type { CheckReport, HealthStatus } from '@keelson/core';

/** `fail` when a critical check fails; `warn` when any other fails or warns; otherwise `pass`. */
export function overallStatus(checks: readonly CheckReport[]): HealthStatus {
  if (checks.some(check => check.critical && check.status === 'fail')) return 'fail';
  return checks.some(check => check.status !== 'pass') ? 'warn' : 'pass';
}
