import { defineManifest, HealthService, HttpServer, Logger, Metrics, Telemetry } from '@keelson/core';
import { type HealthOptions, healthOptions } from './options.js';

export default defineManifest<HealthOptions>({
  name: 'health',
  slot: 'health',
  contract: '^0.1.0',
  config: healthOptions,
  provides: [HealthService],
  optional: [Logger, Telemetry, HttpServer, Metrics],
});
