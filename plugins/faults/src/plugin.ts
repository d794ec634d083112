import { definePlugin, type HealthCheck, HealthService, type Logger, RetryPolicy } from '@keelson/core';
import { FaultInjector, type InjectionListener, targetOf } from './fault-injector.js';
import manifest from './manifest.js';
import type { FaultRule, FaultsOptions } from './options.js';

interface Rehearsal {
  readonly injector: FaultInjector;
  check?: Disposable;
}

/** By configuration: a process may run more than one kernel. */
const rehearsals = new WeakMap<FaultsOptions, Rehearsal>();

export const faults = definePlugin<FaultsOptions>({
  ...manifest,
  register({ config, clock, decorate }) {
    if (config.rules.length === 0) return;
    const injector = new FaultInjector(config.rules, clock);
    rehearsals.set(config, { injector });
    decorate(RetryPolicy, policy => injector.decorate(policy));
  },
  start({ config, container, logger }) {
    const rehearsal = rehearsals.get(config);
    if (rehearsal === undefined) return;
    logger.warn('Faults are injected into the calls of this service', { rules: config.rules });
    rehearsal.check = container.get(HealthService).register(warning(config.rules));
  },
  /** Not sooner: a service that cannot start has nothing to rehearse. */
  ready({ config, logger }) {
    rehearsals.get(config)?.injector.arm(logTo(logger));
  },
  stop({ config }) {
    const rehearsal = rehearsals.get(config);
    rehearsal?.injector.disarm();
    rehearsal?.check?.[Symbol.dispose]();
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
