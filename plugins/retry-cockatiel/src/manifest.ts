import { defineManifest, HealthService, Metrics, RetryPolicy, Telemetry } from '@keelson/core';
import { type RetryOptions, retryOptionsSchema } from './options.js';

export default defineManifest<RetryOptions>({
  name: 'retry-cockatiel',
  slot: 'retry',
  contract: '^0.1.0',
  config: retryOptionsSchema,
  provides: [RetryPolicy],
  optional: [HealthService, Metrics, Telemetry],
  capabilities: ['circuit-breaker', 'wait-while-open'],
});
