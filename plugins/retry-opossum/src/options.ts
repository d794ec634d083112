import { z } from 'zod';

/** The policy of every target that `targets` does not name. */
export const defaultPolicyName = 'default';

const dayMs = 86_400_000;

/** Every value may change while the service runs. */
function option<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ description, reloadable: true });
}

/** A number from `least` to `most`. */
function numeric(fallback: number, [least, most]: readonly [number, number], description: string) {
  return option(z.number().min(least).max(most).default(fallback), description);
}

/** A duration for which 0 has a meaning of its own, or none. */
function duration(fallback: number, description: string) {
  return numeric(fallback, [0, dayMs], description);
}

function count(fallback: number, least: number, description: string) {
  return option(z.number().int().min(least).max(1_000_000).default(fallback), description);
}

const budgetSchema = z.strictObject({
  share: numeric(0.2, [0, 10], 'Retries allowed for each call to the target: 0.2 lets retries add 20 % to the load.'),
  floorPerSecond: numeric(3, [0, 100_000], 'Retries allowed each second, even with few calls.'),
  windowMs: numeric(10_000, [100, dayMs], 'Calls and retries older than this are not counted.'),
});

const breakerSchema = z
  .strictObject({
    failureRate: numeric(0.5, [0.001, 1], 'Opens when at least this share of the attempts that finished has failed.'),
    minimumCalls: count(5, 1, 'Never opens before this many attempts have finished within the window.'),
    windowMs: numeric(
      1_000,
      [100, dayMs],
      'The time window of the failure rate. A short window detects an outage before the retry budget is used up.',
    ),
    consecutiveFailures: count(
      7,
      0,
      'This number of failures in a row also opens the breaker, however much time is between them. Keep it below maxAttempts: otherwise a single call gives up before the breaker opens. 0: off.',
    ),
    silenceMs: duration(
      1_000,
      'An attempt that ended without an answer counts as failed if it lasted this long and the target answered no other call meanwhile. 0: never.',
    ),
    slowCallMs: duration(5_000, 'An attempt that took at least this long counts as failed. 0: never.'),
    breakMs: numeric(100, [1, dayMs], 'The shortest break before the target is probed.'),
    breakShareOfOutage: numeric(
      0.05,
      [0, 10],
      'A break grows to this share of the outage so far. With 0.05, the breaker notices the end of an outage of 60 s at most 3 s late.',
    ),
    maxBreakMs: numeric(
      5_000,
      [1, dayMs],
      'The longest break. Each break is cut by up to half at random, so that instances do not probe together.',
    ),
    probes: count(2, 1, 'Attempts that may run while half-open; after this many successes the breaker closes.'),
    probeTimeoutMs: numeric(5_000, [1, dayMs], 'A probe without an answer after this time counts as failed.'),
  })
  .refine(options => options.breakMs <= options.maxBreakMs, {
    path: ['breakMs'],
    error: 'must not be above maxBreakMs',
  });

const waitingSchema = z.strictObject({
  maxWaiters: count(10_000, 0, 'Calls that may wait for the target to come back; further ones are refused.'),
  releaseBatch: count(
    10,
    1,
    'Number of waiting calls that continue first when the target is back; doubles at each interval.',
  ),
  releaseIntervalMs: numeric(20, [1, 60_000], 'Pause between two batches of waiting calls.'),
});

const bulkheadSchema = z.strictObject({
  maxConcurrentCalls: count(0, 0, 'Calls that may run at once, including calls that wait for a retry. 0: any number.'),
  maxQueuedCalls: count(100, 0, 'Calls that may queue for a place; further ones are refused.'),
});

const conflictsSchema = z
  .strictObject({
    maxAttempts: count(100, 1, 'Attempts of one call that may end in a conflict; the deadline bounds them too.'),
    initialDelayMs: numeric(
      20,
      [0, dayMs],
      'Upper bound of the random wait after the first conflict; doubles with each further one.',
    ),
    maxDelayMs: numeric(500, [0, dayMs], 'The longest of these waits.'),
  })
  .refine(options => options.initialDelayMs <= options.maxDelayMs, {
    path: ['initialDelayMs'],
    error: 'must not be above maxDelayMs',
  });

export const policySchema = z
  .strictObject({
    deadlineMs: duration(
      30_000,
      'The whole call with its waits ends by then, when the caller sets no deadline. 0: never.',
    ),
    attemptTimeoutMs: duration(10_000, 'A single attempt is cancelled after this. 0: only by the deadline.'),
    cancelGraceMs: duration(
      1_000,
      'How long a cancelled attempt may take to end; its result still counts. After that it is abandoned.',
    ),
    maxAttempts: count(
      8,
      1,
      'Attempts in all, including the first; 1 turns retries off. Failed probes of an open breaker do not count.',
    ),
    initialDelayMs: duration(
      25,
      'Upper bound of the random wait before the second attempt; doubles with each further one.',
    ),
    maxDelayMs: duration(2_000, 'The longest of these waits.'),
    whenOpen: option(
      z.enum(['wait', 'refuse']).default('wait'),
      'What a call does while the breaker is open: wait for the target with the time it has, or fail at once.',
    ),
    budget: budgetSchema.prefault({}).describe('Prevents retries from making an outage worse; one for each target.'),
    conflicts: conflictsSchema
      .prefault({})
      .describe('Limits for calls that end in a conflict; their retries cost no budget.'),
    breaker: breakerSchema
      .prefault({})
      .describe('Rules that decide when a target counts as down, and when it is probed.'),
    waiting: waitingSchema.prefault({}).describe('Calls that wait while the breaker is open.'),
    bulkhead: bulkheadSchema.prefault({}).describe('How many calls to a target may run at once.'),
  })
  .refine(options => options.initialDelayMs <= options.maxDelayMs, {
    path: ['initialDelayMs'],
    error: 'must not be above maxDelayMs',
  });

export const retryOptionsSchema = z
  .strictObject({
    policies: option(
      z.record(z.string().min(1), policySchema).default({}),
      `Policies by name. "${defaultPolicyName}" always exists and may be redefined.`,
    ),
    targets: option(
      z.record(z.string().min(1), option(z.string().min(1), 'The name of a policy.')).default({}),
      'The policy of each target: { database: patient }. A target that is not listed has the policy of the part of its name before the last dot (of `database` for `database.replica`), or the default.',
    ),
  })
  .superRefine((options, context) => {
    const known = [...new Set([defaultPolicyName, ...Object.keys(options.policies)])];
    for (const [target, policy] of Object.entries(options.targets)) {
      if (known.includes(policy)) continue;
      context.addIssue({
        code: 'custom',
        path: ['targets', target],
        message: `there is no policy "${policy}"; the policies are ${known.join(', ')}`,
      });
    }
  });

/** One policy, defaults filled in. */
export type PolicyOptions = z.infer<typeof policySchema>;
export type BreakerOptions = PolicyOptions['breaker'];
export type BudgetOptions = PolicyOptions['budget'];
export type WaitingOptions = PolicyOptions['waiting'];
export type BulkheadOptions = PolicyOptions['bulkhead'];
/** What stands under `retry` in the configuration, defaults filled in. */
export type RetryOptions = z.infer<typeof retryOptionsSchema>;
/** The same as a person writes it: every key may be left out. */
export type RetryOptionsInput = z.input<typeof retryOptionsSchema>;

/** The policy of `target`: its own, or that of what it is a part of: `database` for `database.replica`. */
export function policyOf(options: RetryOptions, target: string): PolicyOptions {
  return options.policies[policyNameOf(options, target)] ?? policySchema.parse({});
}

export function policyNameOf(options: Pick<RetryOptions, 'targets'>, target: string): string {
  const named = options.targets[target];
  const dot = target.lastIndexOf('.');
  if (named === undefined && dot !== -1) return policyNameOf(options, target.slice(0, dot));
  return named ?? defaultPolicyName;
}
