import { definePlugin, HealthService, Metrics, RetryPolicy } from '@keelson/core';
import { inspectTargets } from './inspect.js';
import manifest from './manifest.js';
import { hold, release } from './operations.js';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import type { RetryOptions } from './options.js';
import { breakerCheck, logChanges, measure, Outages } from './reporting.js';
import { RetryControl } from './retry-control.js';

interface Running {
  /** What the start took. */
  readonly stack: DisposableStack;
  readonly outages: Outages;
}

/** By policy: a process may run more than one kernel. */
const running = new WeakMap<RetryControl, Running>();

export const retryOpossum = definePlugin<RetryOptions>({
  ...manifest,
  register({ bind, config, clock }) {
    const policy = new OpossumRetryPolicy({ options: config, clock });
    const stack = new DisposableStack();
    stack.defer(() => policy.stop());
    running.set(policy, { stack, outages: new Outages(clock) });
    bind(RetryPolicy).toConstantValue(policy);
    bind(RetryControl).toConstantValue(policy);
  },
  start({ container, logger }) {
    const control = container.get(RetryControl);
    const { stack, outages } = running.get(control) ?? {};
    const measured = measure(container.get(Metrics), control);
    stack?.use(measured);
    stack?.use(control.observe(measured.observer));
    stack?.use(control.observe(logChanges(logger)));
    if (outages !== undefined) stack?.use(control.observe(outages));
    stack?.use(container.get(HealthService).register(breakerCheck(control)));
  },
  reconfigure({ container, config }) {
    container.get(RetryControl).reconfigure(config);
  },
  inspect({ container, config, key }) {
    const control = container.get(RetryControl);
    return inspectTargets({ control, config, key, outages: running.get(control)?.outages });
  },
  operations: { hold, release },
  stop({ container }) {
    running.get(container.get(RetryControl))?.stack.dispose();
  },
});
