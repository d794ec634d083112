import { definePlugin, HealthService, Metrics, RetryPolicy, Telemetry } from '@keelson/core';
import { inspectTargets } from './inspect.js';
import manifest from './manifest.js';
import { breakerOperations } from './operations.js';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import type { RetryOptions } from './options.js';
import { breakerCheck, breakerStatesOf, logChanges, measure, noteMoves } from './reporting.js';
import { RetryControl } from './retry-control.js';

export const retryOpossum = definePlugin<RetryOptions>({
  ...manifest,
  register({ bind, config, clock }) {
    const policy = new OpossumRetryPolicy({ options: config, clock });
    bind(RetryPolicy).toConstantValue(policy);
    bind(RetryControl).toConstantValue(policy);
    return {
      start({ container, logger, defer, key }) {
        defer(() => policy.stop());
        const keep = (taken: Disposable) => defer(() => taken[Symbol.dispose]());
        const measured = measure(container.get(Metrics), policy);
        if (measured !== undefined) {
          keep(measured);
          keep(policy.observe(measured.observer));
        }
        keep(policy.observe(logChanges(logger)));
        const telemetry = container.get(Telemetry);
        if (telemetry.enabled) {
          keep(policy.observe(noteMoves(telemetry)));
          keep(telemetry.attachFacts('breakers', () => breakerStatesOf(policy)));
        }
        keep(container.get(HealthService).register(breakerCheck(policy, key)));
        return {
          reconfigure: context => void policy.reconfigure(context.config),
          inspect: context => inspectTargets({ control: policy, config: context.config, key: context.key }),
          operations: breakerOperations(policy),
        };
      },
    };
  },
});
