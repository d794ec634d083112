import { type HealthCheck, KeelsonError } from '@keelson/core';
import { z } from 'zod';
import type { Thresholds } from './hysteresis.js';
import type { CheckOverrides } from './options.js';

/** A check with its registered values and the overrides of the configuration. */
export interface ResolvedCheck extends Thresholds {
  readonly name: string;
  readonly enabled: boolean;
  readonly critical: boolean;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** A sample older than this is stale. */
  readonly staleAfterMs: number;
  readonly check: HealthCheck['check'];
}

const registeredCheck = z.object({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'may have only letters, digits, -, _ and .')
    .refine(name => name !== 'lifecycle', 'is taken by the service itself'),
  critical: z.boolean().default(true),
  intervalMs: z.number().min(100).max(3_600_000).default(5_000),
  timeoutMs: z.number().min(10).max(600_000).default(2_000),
  failureThreshold: z.number().int().min(1).default(1),
  successThreshold: z.number().int().min(1).default(1),
  check: z.custom<HealthCheck['check']>(value => typeof value === 'function', 'must be a function'),
});

/** @throws KeelsonError HEALTH_CHECK_INVALID naming every member that is wrong. */
export function resolveCheck(given: HealthCheck, overrides: CheckOverrides = {}): ResolvedCheck {
  const { enabled = true, ...values } = overrides;
  const parsed = registeredCheck.safeParse({
    name: given.name,
    critical: values.critical ?? given.critical,
    intervalMs: values.intervalMs ?? given.intervalMs,
    timeoutMs: values.timeoutMs ?? given.timeoutMs,
    failureThreshold: values.failureThreshold ?? given.failureThreshold,
    successThreshold: values.successThreshold ?? given.successThreshold,
    check: given.check,
  });
  if (!parsed.success) throw invalid(given.name, parsed.error);
  const { check: _unbound, ...check } = parsed.data;
  return {
    ...check,
    enabled,
    staleAfterMs: 3 * Math.max(check.intervalMs, check.timeoutMs),
    check: signal => given.check(signal),
  };
}

function invalid(name: unknown, error: z.ZodError): KeelsonError {
  const problems = error.issues.map(issue => `${issue.path.join('.')} ${issue.message}`);
  return new KeelsonError({
    code: 'HEALTH_CHECK_INVALID',
    message: `The health check ${JSON.stringify(name)} cannot be run: ${problems.join('; ')}.`,
    hint: 'Change the arguments that the plugin passes to HealthService.register.',
    facts: { check: name, problems },
  });
}
