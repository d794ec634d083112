import { defineManifest, HealthService, HttpServer, Logger, Telemetry } from '@keelson/core';
import { type ConsoleOptions, consoleOptions } from './options.js';

export default defineManifest<ConsoleOptions>({
  name: 'console',
  slot: 'console',
  contract: '^0.1.0',
  config: consoleOptions,
  requires: [HttpServer],
  optional: [Logger],
  decorates: [Telemetry, HealthService],
});
