import { definePlugin, type HealthCheck, HealthService, type Logger, RetryPolicy } from '@keelson/core';
import { FaultInjector, type InjectionListener, targetOf } from './fault-injector.js';
import manifest from './manifest.js';
import type { FaultRule, FaultsOptions } from './options.js';

export const faults = definePlugin<FaultsOptions>({
  ...manifest,
  register({ config, clock, decorate }) {
    if (config.rules.length === 0) return;
    const injector = new FaultInjector(config.rules, clock);
    decorate(RetryPolicy, policy => injector.decorate(policy));
    return {
      start({ container, logger, defer }) {
        logger.warn('Faults are injected into the calls of this service', { rules: config.rules });
        const check = container.get(HealthService).register(warning(config.rules));
        defer(() => check[Symbol.dispose]());
        return {
          // Not sooner: a service that cannot start has nothing to rehearse.
          ready: () => injector.arm(logTo(logger)),
          stop: () => injector.disarm(),
        };
      },
    };
  },
});

function warning(rules: readonly FaultRule[]): HealthCheck {
  const output = `Faults are injected: ${rules.map(rule => `${rule.kind} into ${rule.target}`).join(', ')}`;
  return { name: 'faults', critical: false, check: async () => ({ status: 'warn', output, facts: { rules } }) };
}

function logTo(logger: Logger): InjectionListener {
  return ({ kind, latencyMs, code, seed }, options) => {
    const { name } = options;
    logger.debug('A fault is injected', { operation: name, target: targetOf(options), kind, latencyMs, code, seed });
  };
}
