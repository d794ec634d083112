import { z } from 'zod';

const timeout = (description: string, defaultMs: number, maximum = 3_600_000) =>
  z.int().min(0).max(maximum).default(defaultMs).describe(description);

/** The settings of the kernel itself, beside `plugins`. */
export const settingsSchema = z.object({
  service: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      'letters, digits, dots, dashes and underscores, beginning with a letter or digit',
    )
    .default('service')
    .describe('The name of the service in logs, traces and reports.'),
  startup: z
    .object({
      timeoutMs: timeout('Longest whole start, in milliseconds.', 120_000),
      slowMs: timeout(
        'Time until a log line names the plugins that have not started yet; it repeats at growing intervals.',
        5_000,
      ),
      retryAfterMs: timeout(
        'First wait before an optional plugin that failed is started again; doubles up to a minute.',
        1_000,
      ),
    })
    .prefault({})
    .describe('How the service starts.'),
  shutdown: z
    .object({
      noticeMs: timeout(
        'How long the service continues to serve after its readiness fails, so that load balancers notice it.',
        0,
      ),
      drainMs: timeout('Longest wait for running work to end.', 15_000),
      budgetMs: timeout('Longest whole stop. Keep it below the grace period of the platform.', 25_000),
      flushMs: timeout('Part of the budget that is reserved for the last log lines and traces.', 2_000),
    })
    .prefault({})
    .describe('How the service stops.'),
  control: z
    .object({
      enabled: z
        .boolean()
        .default(true)
        .describe('Whether keelson status, reload and do reach the running service; never over the network.'),
      directory: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Where the service creates a folder for its socket, which only its user can open. Default: the temporary folder of the system.',
        ),
    })
    .prefault({})
    .describe('How an operator reaches the running service.'),
});

export type Settings = z.output<typeof settingsSchema>;

/** The keys of a plugin that the kernel reads; everything else belongs to the plugin. */
export const entrySchema = z.object({
  use: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The implementation: a package, or a path that begins with ./. `none`: no plugin; a slot then has its default.',
    ),
  optional: z
    .boolean()
    .default(false)
    .describe(
      'Whether the service starts without this plugin when the plugin fails, and starts it again in the background.',
    ),
  startTimeoutMs: z
    .int()
    .min(1)
    .max(3_600_000)
    .optional()
    .describe('Longest start, in milliseconds; replaces the limit of the plugin.'),
  stopTimeoutMs: z
    .int()
    .min(1)
    .max(3_600_000)
    .optional()
    .describe('Longest stop, in milliseconds; replaces the limit of the plugin.'),
});

export type EntrySettings = z.output<typeof entrySchema>;

export const entryKeys = Object.keys(entrySchema.shape);
export const settingKeys = Object.keys(settingsSchema.shape);
