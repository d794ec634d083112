import { z } from 'zod';

const intervalMs = z.number().int().min(100).max(3_600_000);
const timeoutMs = z.number().int().min(10).max(600_000);
const threshold = z.number().int().min(1).max(100);
const details = z.enum(['none', 'checks', 'facts']);

/** Overrides of a deployment for one check; omitted values stay as registered. */
const checkOverrides = z.strictObject({
  enabled: z.boolean().optional().describe('False: the check is not run and not reported. Default: true.'),
  critical: z
    .boolean()
    .optional()
    .describe('Effect of a failure: true makes the service not ready, false makes it ready with a warning.'),
  intervalMs: intervalMs.optional().describe('Pause between two samples, in milliseconds.'),
  timeoutMs: timeoutMs
    .optional()
    .describe('Longest time of a sample, in milliseconds; then it counts as failed and its signal is aborted.'),
  failureThreshold: threshold.optional().describe('Failures in a row before a passing check is reported as failing.'),
  successThreshold: threshold.optional().describe('Successes in a row before a failing check is reported as passing.'),
});

const group = z.strictObject({
  checks: z
    .array(z.string().min(1))
    .min(1)
    .describe('The names of the checks of the group; a * at the end matches any ending: database*.'),
  critical: z
    .array(z.string().min(1))
    .optional()
    .describe('The checks whose failure fails the group, named in the same way. Default: those that are critical.'),
  degraded: z
    .enum(['pass', 'fail'])
    .default('pass')
    .describe('What the probe of a degraded group answers: pass is 200, fail is 503.'),
});

const groupName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'may have only lower-case letters, digits and -');

const own = z
  .strictObject({
    eventLoop: z
      .union([
        z.literal(false),
        z.strictObject({
          maxDelayMs: z
            .number()
            .int()
            .min(10)
            .max(60_000)
            .default(500)
            .describe(
              'Longest allowed delay of the event loop, in milliseconds. The check fails when two samples in a row saw a longer delay.',
            ),
        }),
      ])
      .prefault({})
      .describe('The check process-event-loop; false runs none.'),
    memory: z
      .union([
        z.literal(false),
        z.strictObject({
          maxPercent: z
            .number()
            .min(1)
            .max(100)
            .default(90)
            .describe('Share of the memory limit (of the container, and of the heap of V8) that may be in use.'),
        }),
      ])
      .prefault({})
      .describe('The check process-memory; false runs none.'),
    disk: z
      .union([
        z.literal(false),
        z.strictObject({
          path: z
            .string()
            .min(1)
            .default('.')
            .describe('A folder on the disk that is checked, relative to the configuration.'),
          minFreeBytes: z
            .number()
            .int()
            .min(0)
            .default(104_857_600)
            .describe('How much must be free for the user of the service, in bytes.'),
        }),
      ])
      .prefault({})
      .describe('The check process-disk; false runs none.'),
  })
  .prefault({})
  .describe('Checks of the process itself. They are not critical unless `checks` says so.');

export const healthOptions = z.strictObject({
  checks: z
    .record(z.string(), checkOverrides)
    .default({})
    .describe('Overrides by the name of the check: { database: { critical: false, intervalMs: 5000 } }.'),
  groups: z
    .record(groupName, group)
    .default({})
    .describe('Further readiness probes: { traffic: { checks: [database] } } answers at /readyz/traffic.'),
  process: own,
  details: details
    .optional()
    .describe(
      'The content of the answers: none is only the overall status, checks adds one entry per check with its reason, ' +
        'facts adds the numbers behind it. Default: checks on the admin port, none on the port of the API. The option sets ' +
        'the answers of the admin port, and those of the port of the API only when there is no admin port.',
    ),
  releaseId: z
    .string()
    .min(1)
    .optional()
    .describe('Which build is running, for instance a commit; sent with every answer. Default: not sent.'),
});

export type CheckOverrides = z.infer<typeof checkOverrides>;
export type HealthOptions = z.infer<typeof healthOptions>;
export type GroupOptions = z.infer<typeof group>;
export type HealthDetails = z.infer<typeof details>;
