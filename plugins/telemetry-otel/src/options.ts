import { receiverOptions } from '@keelson/otlp/options';
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

/** An option with an OpenTelemetry variable has no default here: left out, the variable or its default applies. */
export const telemetryOtelOptions = z.strictObject({
  ...receiverOptions('/v1/traces and /v1/logs are added'),
  enabled: z
    .boolean()
    .default(true)
    .describe('False, or OTEL_SDK_DISABLED=true: nothing is recorded and nothing is sent.'),
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
      'Largest number of errors of one kind and operation sent in a minute; the next error has the number of dropped errors.',
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
