import { defineManifest, HealthService, RetryPolicy } from '@keelson/core';
import { type FaultsOptions, faultsOptionsSchema } from './options.js';

export default defineManifest<FaultsOptions>({
  name: 'faults',
  contract: '^0.1.0',
  config: faultsOptionsSchema,
  decorates: [RetryPolicy],
  optional: [HealthService],
});
