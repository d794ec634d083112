import { defineManifest, Metrics } from '@keelson/core';
import { type MetricsOtlpOptions, metricsOtlpOptions } from './options.js';

export default defineManifest<MetricsOtlpOptions>({
  name: 'metrics-otlp',
  slot: 'metrics',
  contract: '^0.1.0',
  config: metricsOtlpOptions,
  provides: [Metrics],
  diagnoses: true,
});
