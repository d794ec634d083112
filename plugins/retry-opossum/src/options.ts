import { z } from 'zod';

/** The policy of every target that `targets` does not name. */
export const defaultPolicyName = 'default';

const milliseconds = (fallback: number) => z.number().nonnegative().max(86_400_000).default(fallback);
const count = (fallback: number, least: number) => z.number().int().min(least).max(1_000_000).default(fallback);
const share = (fallback: number) => z.number().gt(0).max(1).default(fallback);

const retryBudgetSchema = z.strictObject({
  share: z
    .number()
    .min(0)
    .max(10)
    .default(0.2)
    .describe('Retries allowed for each call to the target: 0.2 lets retries add 20 % to the load.'),
  floorPerSecond: z
    .number()
    .min(0)
    .max(100_000)
    .default(3)
    .describe('Retries allowed each second however few calls there are.'),
  windowMs: z
    .number()
    .min(100)
    .max(3_600_000)
    .default(10_000)
    .describe('Calls and retries older than this no longer matter.'),
});

const breakerSchema = z
  .strictObject({
    failureRate: share(0.5).describe('Opens when at least this share of the attempts that finished has failed.'),
    minimumCalls: count(5, 1).describe('Never opens before this many attempts have finished within the window.'),
    windowMs: z
      .number()
      .min(100)
      .max(3_600_000)
      .default(1_000)
      .describe(
        'Over how long the failure rate is taken. Short: an outage shows before the budget for retries is gone.',
      ),
    slowCallMs: milliseconds(5_000).describe('An attempt that took at least this long counts as failed. 0: never.'),
    breakMs: z.number().min(1).max(86_400_000).default(200).describe('The shortest break before the target is probed.'),
    breakShareOfOutage: z
      .number()
      .min(0)
      .max(10)
      .default(0.05)
      .describe('A break grows to this share of the outage so far: 0.05 notices recovery 5 % later at most.'),
    maxBreakMs: z
      .number()
      .min(1)
      .max(86_400_000)
      .default(5_000)
      .describe(
        'The longest break. Each break is cut by up to half at random, so that instances do not probe together.',
      ),
    probes: count(2, 1).describe('Attempts let through while half-open, and how many of them must succeed to close.'),
    probeTimeoutMs: z
      .number()
      .min(1)
      .max(86_400_000)
      .default(5_000)
      .describe('A probe without an answer after this counts as failed.'),
  })
  .refine(options => options.breakMs <= options.maxBreakMs, {
    path: ['breakMs'],
    error: 'must not be above maxBreakMs',
  });

const waitingSchema = z.strictObject({
  maxWaiters: count(10_000, 0).describe('Calls that may wait for the target to come back; further ones are refused.'),
  releaseBatch: count(10, 1).describe('Waiting calls let go first when the target is back; doubles at each interval.'),
  releaseIntervalMs: z
    .number()
    .min(1)
    .max(60_000)
    .default(20)
    .describe('Pause between two batches of waiting calls that are let go.'),
});

const bulkheadSchema = z.strictObject({
  maxConcurrentCalls: count(0, 0).describe('Calls that may run at once, those that wait for a retry included. 0: any.'),
  maxQueuedCalls: count(100, 0).describe('Calls that may queue for a place; further ones are refused.'),
});

export const policySchema = z
  .strictObject({
    deadlineMs: milliseconds(30_000).describe(
      'The whole call ends by then, waits included, when the caller sets no deadline. 0: never.',
    ),
    attemptTimeoutMs: milliseconds(10_000).describe(
      'A single attempt is cancelled after this. 0: only by the deadline.',
    ),
    cancelGraceMs: milliseconds(1_000).describe(
      'How long a cancelled attempt may take to end; what it ends with still counts. After that it is abandoned.',
    ),
    maxAttempts: count(8, 1).describe(
      'Attempts in all, the first included; 1 turns retries off. Failed probes of an open breaker do not count.',
    ),
    initialDelayMs: milliseconds(25).describe(
      'Upper bound of the random wait before the second attempt; doubles with each further one.',
    ),
    maxDelayMs: milliseconds(2_000).describe('The longest of these waits.'),
    whenOpen: z
      .enum(['wait', 'refuse'])
      .default('wait')
      .describe(
        'What a call does while the breaker is open: wait for the target with the time it has, or fail at once.',
      ),
    budget: retryBudgetSchema.prefault({}).describe('Keeps retries from multiplying an outage; one for each target.'),
    breaker: breakerSchema.prefault({}).describe('When a target counts as down, and how it is probed.'),
    waiting: waitingSchema.prefault({}).describe('Calls that wait while the breaker is open.'),
    bulkhead: bulkheadSchema.prefault({}).describe('How many calls to a target may run at once.'),
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
      .describe(`Policies by name. "${defaultPolicyName}" is there always and may be redefined.`),
    targets: z
      .record(z.string().min(1), z.string().min(1))
      .default({})
      .describe('The policy of each target: { database: patient }. A target not named here has the default one.'),
  })
  .superRefine((options, context) => {
    const known = [...new Set([defaultPolicyName, ...Object.keys(options.policies)])];
    for (const [target, policy] of Object.entries(options.targets)) {
      if (known.includes(policy)) continue;
      context.addIssue({
        code: 'custom',
        path: ['targets', target],
        message: `no policy is named "${policy}"; there is ${known.join(', ')}`,
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

/** The policy of `target`. */
export function policyOf(options: RetryOptions, target: string): PolicyOptions {
  const policy = options.policies[options.targets[target] ?? defaultPolicyName];
  return policy ?? policySchema.parse({});
}
