import { definePlugin, HealthService, Metrics, RetryPolicy } from '@keelson/core';
import { inspectTargets } from './inspect.js';
import manifest from './manifest.js';
import { hold, release } from './operations.js';
import { OpossumRetryPolicy } from './opossum-retry-policy.js';
import type { RetryOptions } from './options.js';
import { breakerCheck, logChanges, measure } from './reporting.js';
import { RetryControl } from './retry-control.js';

/** What the start of each policy took: a process may run more than one kernel. */
const taken = new WeakMap<RetryControl, DisposableStack>();

export const retryOpossum = definePlugin<RetryOptions>({
  ...manifest,
  register({ bind, config, clock }) {
    const policy = new OpossumRetryPolicy({ options: config, clock });
    const stack = new DisposableStack();
    stack.defer(() => policy.stop());
    taken.set(policy, stack);
    bind(RetryPolicy).toConstantValue(policy);
    bind(RetryControl).toConstantValue(policy);
  },
  start({ container, logger }) {
    const control = container.get(RetryControl);
    const stack = taken.get(control);
    const measured = measure(container.get(Metrics), control);
    stack?.use(measured);
    stack?.use(control.observe(measured.observer));
    stack?.use(control.observe(logChanges(logger)));
    stack?.use(container.get(HealthService).register(breakerCheck(control)));
  },
  reconfigure({ container, config }) {
    container.get(RetryControl).reconfigure(config);
  },
  inspect({ container, config, key }) {
    return inspectTargets({ control: container.get(RetryControl), config, key });
  },
  operations: { hold, release },
  stop({ container }) {
    taken.get(container.get(RetryControl))?.dispose();
  },
});
