import type { Facts } from '../keelson-error.js';
import { type ServiceToken, serviceToken } from '../token.js';

export type HealthStatus = 'pass' | 'warn' | 'fail';
export type ProbeKind = 'live' | 'ready' | 'startup';

export interface HealthResult {
  readonly status: HealthStatus;
  /** One sentence an operator may read; no secret, no address of a person. Left out for `pass`. */
  readonly output?: string;
  readonly facts?: Facts;
}

export interface HealthCheck {
  /** Letters, digits, `-`, `_` and `.`; unique in the service. `lifecycle` is the service's own. */
  readonly name: string;
  /** When it fails: `true` makes the service not ready, `false` makes it ready with a warning. Default true. */
  readonly critical?: boolean;
  /** Pause between two samples, which are taken in the background. Default 5,000. */
  readonly intervalMs?: number;
  /** After this the sample counts as failed and `signal` is aborted. Default 2,000. */
  readonly timeoutMs?: number;
  /** Failures in a row before a passing check is reported as failing. Default 1. */
  readonly failureThreshold?: number;
  /** Successes in a row before a failing check is reported as passing. Default 1. */
  readonly successThreshold?: number;
  /** Runs the check once. A rejection counts as `fail`. Must end when `signal` aborts. */
  check(signal: AbortSignal): Promise<HealthResult>;
}

export interface CheckReport extends HealthResult {
  readonly name: string;
  readonly critical: boolean;
  /** Time of the last sample; absent before the first one. */
  readonly observedAt?: Date;
  readonly durationMs?: number;
}

export interface HealthReport {
  /** `warn`: the service is ready, and degraded. */
  readonly status: HealthStatus;
  readonly checks: readonly CheckReport[];
}

/** Reports the health of the service. Liveness depends on nothing outside the process. */
export interface HealthService {
  /** Adds a readiness check and starts sampling it. Disposing of the result removes it. */
  register(check: HealthCheck): Disposable;
  /**
   * Returns the last known status; never waits for a check. With `group`, that of a group of readiness checks which the
   * configuration names; a group that it does not name has no checks.
   */
  report(kind: ProbeKind, group?: string): HealthReport;
}

export const HealthService: ServiceToken<HealthService> = serviceToken('@keelson/core/HealthService');

/** Bound when no health plugin is configured: runs no check and passes. */
export const silentHealthService: HealthService = {
  register: () => ({ [Symbol.dispose]() {} }),
  report: () => ({ status: 'pass', checks: [] }),
};
