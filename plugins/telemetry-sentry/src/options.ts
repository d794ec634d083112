import { z } from 'zod';

const dsnShape = 'it must be a Sentry DSN: https://<key>@<host>/<project number>';

export const telemetrySentryOptions = z
  .strictObject({
    dsn: z
      .string()
      .refine(isDsn, dsnShape)
      .optional()
      .meta({ secret: true })
      .describe('Where events go: the DSN of the Sentry project. Required unless `enabled` is false.'),
    enabled: z.boolean().default(true).describe('False turns telemetry off: nothing is hooked, kept or sent.'),
    environment: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The environment of events. Default: the environment of the service, else SENTRY_ENVIRONMENT, else `production`.',
      ),
    release: z
      .string()
      .min(1)
      .optional()
      .describe('The version of the service. Default: SENTRY_RELEASE, or a variable of the platform.'),
    tracesSampleRate: z.number().min(0).max(1).default(1).describe('The share of traces whose spans are sent, 0 to 1.'),
    errorSampleRate: z.number().min(0).max(1).default(1).describe('The share of errors that are sent, 0 to 1.'),
    errorsPerMinute: z
      .int()
      .min(1)
      .max(100_000)
      .default(60)
      .describe(
        'Largest number of errors of one kind and operation sent in a minute; the next error has the number of dropped errors.',
      ),
    maxBreadcrumbs: z
      .int()
      .min(0)
      .max(100)
      .default(50)
      .describe('How many of the latest events (retries, lost and regained connections, breakers) come with an error.'),
    instrumentModules: z
      .boolean()
      .default(false)
      .describe(
        'Hooks pg, express, http and fetch when they load, for code that uses them without the plugins of Keelson. Costs start-up time and memory.',
      ),
    sourceContext: z.boolean().default(false).describe('Sends the lines of source code around each line of a stack.'),
    propagateTracesTo: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'With `instrumentModules`: outgoing requests whose URLs contain one of these texts carry the trace id.',
      ),
    ignorePaths: z
      .array(z.string().startsWith('/'))
      .default(['/livez', '/readyz', '/startupz', '/healthz', '/metrics'])
      .describe('With `instrumentModules`: paths of incoming requests that make no span.'),
    secretKeys: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Keys whose values are replaced by [masked] at any depth, beyond password, token, cookie and similar ones.',
      ),
    flushTimeoutMs: z
      .int()
      .min(1)
      .max(30_000)
      .default(2_000)
      .describe('Longest wait for unsent events when the service stops, in milliseconds.'),
  })
  .refine(options => !options.enabled || options.dsn !== undefined, {
    path: ['dsn'],
    message: `${dsnShape}, or \`enabled\` must be false`,
  });

export type TelemetrySentryOptions = z.infer<typeof telemetrySentryOptions>;

function isDsn(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username !== '' && /\/\d+$/.test(url.pathname);
}
