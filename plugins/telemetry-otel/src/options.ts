import { z } from 'zod';

export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

const milliseconds = z.int().min(1).max(600_000);

/** What has a variable of OpenTelemetry has no default here: left out, the variable counts, and then its default. */
export const telemetryOtelOptions = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(
      text => `${URL.parse(text)?.username ?? ''}${URL.parse(text)?.password ?? ''}` === '',
      'must have neither a user nor a password: use `headers`',
    )
    .optional()
    .describe(
      'The OTLP receiver; /v1/traces and /v1/logs are added. Default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318.',
    ),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({ secret: true })
    .describe('Headers of each export, such as an API key. Default: OTEL_EXPORTER_OTLP_HEADERS.'),
  protocol: z
    .enum(['http/protobuf', 'http/json'])
    .optional()
    .describe('The encoding. Default: OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf.'),
  compression: z.enum(['gzip', 'none']).optional().describe('Default: OTEL_EXPORTER_OTLP_COMPRESSION, else none.'),
  timeoutMs: milliseconds
    .optional()
    .describe('Longest export with its retries, in milliseconds. Default: OTEL_EXPORTER_OTLP_TIMEOUT, else 10,000.'),
  enabled: z
    .boolean()
    .default(true)
    .describe('False, or OTEL_SDK_DISABLED=true: nothing is recorded and nothing is sent.'),
  serviceName: z
    .string()
    .min(1)
    .optional()
    .describe(
      'service.name. Default: OTEL_SERVICE_NAME, else that of OTEL_RESOURCE_ATTRIBUTES, else the name of the service.',
    ),
  environment: z
    .string()
    .min(1)
    .optional()
    .describe(
      'deployment.environment.name. Default: that of OTEL_RESOURCE_ATTRIBUTES, else the environment of the service.',
    ),
  resource: z
    .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('Further attributes of the resource; they win over OTEL_RESOURCE_ATTRIBUTES.'),
  sampler: z
    .enum(samplerNames)
    .optional()
    .describe('Which traces are recorded. Default: OTEL_TRACES_SAMPLER, else parentbased_traceidratio.'),
  tracesSampleRate: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe('The share of traces that a ratio sampler records, 0 to 1. Default: OTEL_TRACES_SAMPLER_ARG, else 1.'),
  batch: z
    .strictObject({
      maxQueueSize: z
        .int()
        .min(1)
        .max(1_000_000)
        .optional()
        .describe('Spans that may wait; further ones are dropped. Default: OTEL_BSP_MAX_QUEUE_SIZE, else 2,048.'),
      maxBatchSize: z
        .int()
        .min(1)
        .max(100_000)
        .optional()
        .describe('Spans of one export. Default: OTEL_BSP_MAX_EXPORT_BATCH_SIZE, else 512.'),
      delayMs: milliseconds
        .optional()
        .describe('Longest time that a span waits, in milliseconds. Default: OTEL_BSP_SCHEDULE_DELAY, else 5,000.'),
    })
    .prefault({}),
  errors: z
    .boolean()
    .optional()
    .describe(
      'Whether errors are sent as log records, beside the events of recorded spans. Default: true, unless OTEL_LOGS_EXPORTER is none.',
    ),
  errorsPerMinute: z
    .int()
    .min(1)
    .max(100_000)
    .default(60)
    .describe(
      'Most errors of one kind and operation that are sent in a minute; the next one has the number that was left out.',
    ),
  maxBreadcrumbs: z
    .int()
    .min(0)
    .max(100)
    .default(50)
    .describe('How many of the latest events (retries, lost and regained connections, breakers) come with an error.'),
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
    .describe('Longest wait for unsent data when the service stops, in milliseconds.'),
});

export type TelemetryOtelOptions = z.infer<typeof telemetryOtelOptions>;
