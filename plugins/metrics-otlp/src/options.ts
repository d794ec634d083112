import { z } from 'zod';

const milliseconds = z.int().min(1).max(3_600_000);

/** What has a variable of OpenTelemetry has no default here: left out, the variable counts, and then its default. */
export const metricsOtlpOptions = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(
      text => `${URL.parse(text)?.username ?? ''}${URL.parse(text)?.password ?? ''}` === '',
      'must have neither a user nor a password: use `headers`',
    )
    .optional()
    .describe(
      'The OTLP receiver; /v1/metrics is added. Default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318.',
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
    .describe('False, OTEL_SDK_DISABLED=true or OTEL_METRICS_EXPORTER=none: nothing is measured and nothing is sent.'),
  intervalMs: milliseconds
    .optional()
    .describe('Pause between two exports, in milliseconds. Default: OTEL_METRIC_EXPORT_INTERVAL, else 60,000.'),
  serviceName: z
    .string()
    .min(1)
    .optional()
    .describe('service.name. Default: OTEL_SERVICE_NAME, else the name of the service.'),
  resource: z
    .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('Further attributes of the resource; they win over OTEL_RESOURCE_ATTRIBUTES.'),
  maxSeries: z
    .int()
    .min(10)
    .max(100_000)
    .default(2_000)
    .describe(
      'The most series of one instrument: further sets of labels are counted together, under otel.metric.overflow.',
    ),
  process: z
    .boolean()
    .default(true)
    .describe('Measures the process: CPU, memory, event loop, garbage collection, and what is open.'),
  flushTimeoutMs: z
    .int()
    .min(1)
    .max(30_000)
    .default(2_000)
    .describe('Longest wait for the last export when the service stops, in milliseconds.'),
});

export type MetricsOtlpOptions = z.infer<typeof metricsOtlpOptions>;
