import { defineManifest, HealthService, Metrics, RetryPolicy, Telemetry } from '@keelson/core';
import { type RetryOptions, retryOptionsSchema } from './options.js';
import { RetryControl } from './retry-control.js';

export default defineManifest<RetryOptions>({
  name: 'retry-opossum',
  slot: 'retry',
  contract: '^0.1.0',
  config: retryOptionsSchema,
  provides: [RetryPolicy, RetryControl],
  optional: [Metrics, HealthService, Telemetry],
  capabilities: ['circuit-breaker', 'retry-budget', 'wait-while-open'],
});
