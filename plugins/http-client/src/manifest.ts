import { defineManifest, HttpClient, Metrics, RetryPolicy, Telemetry } from '@keelson/core';
import { type HttpClientOptions, httpClientOptions } from './options.js';

export default defineManifest<HttpClientOptions>({
  name: 'http-client',
  slot: 'http-client',
  contract: '^0.1.0',
  config: httpClientOptions,
  provides: [HttpClient],
  optional: [Metrics, RetryPolicy, Telemetry],
});
