import { defineManifest, HealthService, isProductionEnvironment, RetryPolicy } from '@keelson/core';
import { type FaultsOptions, faultsOptionsSchema } from './options.js';

export default defineManifest<FaultsOptions>({
  name: 'faults',
  contract: '^0.1.0',
  config: faultsOptionsSchema,
  decorates: [RetryPolicy],
  optional: [HealthService],
  check({ config: { rules, allowInProduction }, environment }) {
    if (rules.length === 0 || allowInProduction || !isProductionEnvironment(environment)) return [];
    return [
      {
        code: 'FAULTS_IN_PRODUCTION',
        path: ['rules'],
        message: `Faults are not injected in the environment "${environment}" unless that is allowed.`,
        action: 'Remove `faults` from the configuration, or set `allowInProduction: true` until the rehearsal is over.',
      },
    ];
  },
});
