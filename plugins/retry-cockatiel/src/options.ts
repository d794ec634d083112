import { KeelsonError } from '@keelson/core';
import { z } from 'zod';

/** The policy of every target that `targets` does not name. */
const defaultPolicyName = 'default';

const dayMs = 86_400_000;

function duration(fallback: number, least: number, description: string) {
  return z.number().min(least).max(dayMs).default(fallback).describe(description);
}

function count(fallback: number, least: number, description: string) {
  return z.number().int().min(least).max(1_000_000).default(fallback).describe(description);
}

const breakerSchema = z
  .strictObject({
    failureRate: z
      .number()
      .min(0.001)
      .max(1)
      .default(0.5)
      .describe('Opens when at least this share of the attempts that finished has failed.'),
    minimumCalls: count(
      5,
      1,
      'Attempts that must finish within the window before the failure rate can open the breaker.',
    ),
    windowMs: z
      .number()
      .multipleOf(1_000)
      .min(1_000)
      .max(dayMs)
      .default(1_000)
      .describe('The time window of the failure rate, in whole seconds. Windows follow each other and do not overlap.'),
    consecutiveFailures: count(
      7,
      0,
      'This number of failures in a row also opens the breaker, however much time is between them. Keep it below maxAttempts: otherwise a single call gives up before the breaker opens. 0: off.',
    ),
    breakMs: duration(200, 1, 'The first break before the target is probed; doubles with each probe that fails.'),
    maxBreakMs: duration(5_000, 1, 'The longest break. Each break is cut by up to half at random.'),
  })
  .refine(options => options.breakMs <= options.maxBreakMs, {
    path: ['breakMs'],
    error: 'must not be above maxBreakMs',
  });

const conflictsSchema = z
  .strictObject({
    maxAttempts: count(100, 1, 'Attempts of one call that may end in a conflict; the deadline bounds them too.'),
    initialDelayMs: duration(
      20,
      0,
      'Upper bound of the random wait after the first conflict; doubles with each further one.',
    ),
    maxDelayMs: duration(500, 0, 'The longest of these waits.'),
  })
  .refine(options => options.initialDelayMs <= options.maxDelayMs, {
    path: ['initialDelayMs'],
    error: 'must not be above maxDelayMs',
  });

export const policySchema = z
  .strictObject({
    deadlineMs: duration(
      30_000,
      0,
      'The whole call with its waits ends by then, when the caller sets no deadline. 0: never.',
    ),
    attemptTimeoutMs: duration(10_000, 0, 'A single attempt is cancelled after this. 0: only by the deadline.'),
    cancelGraceMs: duration(1_000, 0, 'How long a cancelled attempt may take to end; its result still counts.'),
    maxAttempts: count(8, 1, 'Attempts in all, including the first; 1 turns retries off.'),
    initialDelayMs: duration(
      25,
      0,
      'Upper bound of the random wait before the second attempt; doubles with each further one.',
    ),
    maxDelayMs: duration(2_000, 0, 'The longest of these waits.'),
    whenOpen: z
      .enum(['wait', 'refuse'])
      .default('wait')
      .describe(
        'What a call does while the breaker is open: wait for the target with the time it has, or fail at once.',
      ),
    conflicts: conflictsSchema.prefault({}).describe('Limits for calls that end in a conflict.'),
    breaker: breakerSchema
      .prefault({})
      .describe('Rules that decide when a target counts as down, and when it is probed.'),
  })
  .refine(options => options.initialDelayMs <= options.maxDelayMs, {
    path: ['initialDelayMs'],
    error: 'must not be above maxDelayMs',
  });

export const retryOptionsSchema = z
  .strictObject({
    policies: z
      .record(z.string().min(1), policySchema)
      .default({})
      .describe(`Policies by name. "${defaultPolicyName}" always exists and may be redefined.`),
    targets: z
      .record(z.string().min(1), z.string().min(1).describe('The name of a policy.'))
      .default({})
      .describe(
        'The policy of each target: { database: patient }. A target that is not listed has the policy of the part of its name before the last dot (of `database` for `database.replica`), or the default.',
      ),
  })
  .superRefine((options, context) => {
    const known = [...new Set([defaultPolicyName, ...Object.keys(options.policies)])];
    for (const [target, policy] of Object.entries(options.targets)) {
      if (known.includes(policy)) continue;
      const message = `there is no policy "${policy}"; the policies are ${known.join(', ')}`;
      context.addIssue({ code: 'custom', path: ['targets', target], message });
    }
  });

/** One policy, defaults filled in. */
export type PolicyOptions = z.infer<typeof policySchema>;
export type BreakerOptions = PolicyOptions['breaker'];
/** What stands under `retry` in the configuration, defaults filled in. */
export type RetryOptions = z.infer<typeof retryOptionsSchema>;
/** The same as a person writes it: every key may be left out. */
export type RetryOptionsInput = z.input<typeof retryOptionsSchema>;

/** The policy of `target`: its own, or that of what it is a part of: `database` for `database.replica`. */
export function policyOf(options: RetryOptions, target: string): PolicyOptions {
  const named = options.targets[target];
  const dot = target.lastIndexOf('.');
  if (named === undefined && dot !== -1) return policyOf(options, target.slice(0, dot));
  return options.policies[named ?? defaultPolicyName] ?? policySchema.parse({});
}

/** @throws KeelsonError RETRY_OPTIONS_INVALID with every problem of `options`. */
export function parseOptions(options: RetryOptionsInput): RetryOptions {
  const result = retryOptionsSchema.safeParse(options);
  if (result.success) return result.data;
  const problems = result.error.issues.map(issue => `${issue.path.join('.') || 'options'}: ${issue.message}`);
  throw new KeelsonError({
    code: 'RETRY_OPTIONS_INVALID',
    message: `The options of the retry policy are wrong: ${problems.join('; ')}.`,
    hint: 'Every option, its range and its default are in the README of @keelson/retry-cockatiel.',
    facts: { problems },
    cause: result.error,
  });
}
