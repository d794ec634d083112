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
        logger.warn('fault injection configured', { rules: config.rules });
        const check = container.get(HealthService).register(warning(config.rules));
        defer(() => check[Symbol.dispose]());
        return {
          // Not sooner: faults must not keep the service from starting.
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
    logger.debug('fault injected', { operation: name, target: targetOf(options), kind, latencyMs, code, seed });
  };
}
