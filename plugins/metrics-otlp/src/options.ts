import { receiverOptions } from '@keelson/otlp/options';
import { z } from 'zod';

const milliseconds = z.int().min(1).max(3_600_000);

/** An option with an OpenTelemetry variable has no default here: left out, the variable or its default applies. */
export const metricsOtlpOptions = z.strictObject({
  ...receiverOptions('/v1/metrics is added'),
  enabled: z
    .boolean()
    .default(true)
    .describe('False, OTEL_SDK_DISABLED=true or OTEL_METRICS_EXPORTER=none: nothing is measured and nothing is sent.'),
  intervalMs: milliseconds
    .optional()
    .describe('Pause between two exports, in milliseconds. Default: OTEL_METRIC_EXPORT_INTERVAL, else 60,000.'),
  maxSeries: z
    .int()
    .min(10)
    .max(100_000)
    .default(2_000)
    .describe(
      'Largest number of series of one instrument: further sets of labels are counted together, under otel.metric.overflow.',
    ),
  process: z
    .boolean()
    .default(true)
    .describe('Measures the process: CPU, memory, event loop, garbage collection, and open resources.'),
  flushTimeoutMs: z
    .int()
    .min(1)
    .max(30_000)
    .default(2_000)
    .describe('Longest wait for the last export when the service stops, in milliseconds.'),
});

export type MetricsOtlpOptions = z.infer<typeof metricsOtlpOptions>;
