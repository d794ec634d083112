import { defineManifest, HealthService, HttpServer, Logger, Telemetry } from '@keelson/core';
import { type HealthOptions, healthOptions } from './options.js';

export default defineManifest<HealthOptions>({
  name: 'health',
  slot: 'health',
  config: healthOptions,
  provides: [HealthService],
  optional: [Logger, Telemetry, HttpServer],
});
