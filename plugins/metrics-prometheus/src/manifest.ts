import { defineManifest, HttpServer, Logger, Metrics, Telemetry } from '@keelson/core';
import { type MetricsPrometheusOptions, metricsPrometheusOptions } from './options.js';

export default defineManifest<MetricsPrometheusOptions>({
  name: 'metrics-prometheus',
  slot: 'metrics',
  contract: '^0.1.0',
  config: metricsPrometheusOptions,
  provides: [Metrics],
  optional: [Logger, Telemetry, HttpServer],
});
