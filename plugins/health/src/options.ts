import { z } from 'zod';

const intervalMs = z.number().int().min(100).max(3_600_000);
const timeoutMs = z.number().int().min(10).max(600_000);
const threshold = z.number().int().min(1).max(100);

/** Overrides of a deployment for one check; omitted values stay as registered. */
export const checkOverrides = z.strictObject({
  enabled: z.boolean().optional().describe('False: the check is not run and not reported. Default: true.'),
  critical: z
    .boolean()
    .optional()
    .describe('Effect of a failure: true makes the service not ready, false makes it ready with a warning.'),
  intervalMs: intervalMs.optional().describe('Pause between two samples, in milliseconds.'),
  timeoutMs: timeoutMs
    .optional()
    .describe('After this, in milliseconds, a sample counts as failed and its work is aborted.'),
  failureThreshold: threshold.optional().describe('Failures in a row before a passing check is reported as failing.'),
  successThreshold: threshold.optional().describe('Successes in a row before a failing check is reported as passing.'),
});

export const healthOptions = z.strictObject({
  checks: z
    .record(z.string(), checkOverrides)
    .default({})
    .describe('Overrides by the name of the check: { database: { critical: false, intervalMs: 5000 } }.'),
  details: z
    .enum(['none', 'checks', 'facts'])
    .default('checks')
    .describe(
      'What the answers say: none is the overall status alone, checks adds one entry per check with its reason, facts ' +
        'adds the numbers behind it. Use none where strangers can reach the port.',
    ),
  releaseId: z
    .string()
    .min(1)
    .optional()
    .describe('Which build is running, for instance a commit; sent with every answer. Default: not sent.'),
});

export type CheckOverrides = z.infer<typeof checkOverrides>;
export type HealthOptions = z.infer<typeof healthOptions>;
