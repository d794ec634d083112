import { z } from 'zod';

const path = z.string().regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'must be a path such as /metrics');

const buckets = z
  .array(z.number())
  .min(1)
  .max(50)
  .refine(bounds => bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] ?? bound)), {
    error: 'must ascend',
  });

export const metricsPrometheusOptions = z.strictObject({
  path: path.default('/metrics').describe('Where Prometheus finds the metrics.'),
  public: z
    .boolean()
    .default(false)
    .describe(
      'Serves them on the port of the API when the HTTP server has no admin port. Default false: then they are not served.',
    ),
  maxSeries: z
    .int()
    .min(10)
    .max(100_000)
    .default(2_000)
    .describe(
      'Largest number of series of one instrument: further sets of labels are counted together, under otel_metric_overflow="true".',
    ),
  exemplars: z
    .boolean()
    .default(true)
    .describe(
      'Adds the id of a trace to each bucket of a histogram, in OpenMetrics, when the slot telemetry is filled.',
    ),
  process: z
    .boolean()
    .default(true)
    .describe('Measures the process: CPU, memory, event loop, garbage collection, and open resources.'),
  buckets: z
    .record(z.string().min(1), buckets)
    .default({})
    .describe(
      'Upper bounds of a histogram by its OpenTelemetry name: { http.server.request.duration: [0.1, 0.3, 1] }. Default: its own.',
    ),
});

export type MetricsPrometheusOptions = z.infer<typeof metricsPrometheusOptions>;
