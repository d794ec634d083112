import { definePlugin, type HealthCheck, HealthService, type Logger, RetryPolicy } from '@keelson/core';
import { CockatielRetryPolicy, type MoveListener } from './cockatiel-retry-policy.js';
import manifest from './manifest.js';
import type { RetryOptions } from './options.js';

interface Running {
  readonly policy: CockatielRetryPolicy;
  health?: Disposable;
}

/** By configuration: a process may run more than one kernel, and what the slot holds may be wrapped by others. */
const running = new WeakMap<RetryOptions, Running>();

export const retryCockatiel = definePlugin<RetryOptions>({
  ...manifest,
  register({ bind, config, clock }) {
    const policy = new CockatielRetryPolicy({ options: config, clock });
    running.set(config, { policy });
    bind(RetryPolicy).toConstantValue(policy);
  },
  start({ config, container, logger }) {
    const mine = running.get(config);
    if (mine === undefined) return;
    mine.policy.onMove = logMoves(logger);
    mine.health = container.get(HealthService).register(breakerCheck(mine.policy));
  },
  stop({ config }) {
    const mine = running.get(config);
    mine?.policy.stop();
    mine?.health?.[Symbol.dispose]();
  },
});

function logMoves(logger: Logger): MoveListener {
  const levels = { open: 'warn', 'half-open': 'debug', closed: 'info' } as const;
  return (target, to, cause) => {
    logger[levels[to]](`The breaker of "${target}" is ${to}`, { target, ...(to === 'open' && { error: cause }) });
  };
}

/** Warns while a breaker lets nothing through. Never fails: whether the target matters is for its own check to say. */
function breakerCheck(policy: CockatielRetryPolicy): HealthCheck {
  return {
    name: 'retry',
    critical: false,
    async check() {
      const down = policy.notClosed();
      if (down.length === 0) return { status: 'pass' };
      return { status: 'warn', output: `Not closed: the breaker of ${down.map(name => `"${name}"`).join(', ')}` };
    },
  };
}
