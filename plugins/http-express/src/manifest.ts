import { defineManifest, HttpServer, Logger, Telemetry } from '@keelson/core';
import { HttpRoutes } from '@keelson/http/contract';
import { type HttpOptions, httpOptions } from './options.js';

/**
 * The database is not named here, though requests have sessions: it is started after this server, whose probes answer
 * while the service waits for the database. The sessions get it when the service is ready.
 */
export default defineManifest<HttpOptions>({
  name: 'http-express',
  slot: 'http',
  contract: '^0.1.0',
  config: httpOptions,
  provides: [HttpServer, HttpRoutes],
  diagnoses: true,
  optional: [Logger, Telemetry],
  stopTimeoutMs: 15_000,
});
