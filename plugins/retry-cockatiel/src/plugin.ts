import {
  definePlugin,
  errorKindOf,
  type HealthCheck,
  HealthService,
  type Inspection,
  type Logger,
  Metrics,
  RetryPolicy,
  summarizeError,
  Telemetry,
} from '@keelson/core';
import { CockatielRetryPolicy, type MoveListener, type TargetReport } from './cockatiel-retry-policy.js';
import manifest from './manifest.js';
import type { RetryOptions } from './options.js';

export const retryCockatiel = definePlugin<RetryOptions>({
  ...manifest,
  register({ bind, config, clock }) {
    const policy = new CockatielRetryPolicy({ options: config, clock });
    bind(RetryPolicy).toConstantValue(policy);
    return {
      start({ container, logger, defer, key }) {
        const telemetry = container.get(Telemetry);
        policy.onMove = telemetry.enabled ? both(logMoves(logger), noteMoves(telemetry)) : logMoves(logger);
        const attached = telemetry.attachFacts('breakers', () => breakerStatesOf(policy));
        defer(() => attached[Symbol.dispose]());
        const measured = policy.measure(container.get(Metrics));
        defer(() => measured[Symbol.dispose]());
        const health = container.get(HealthService).register(breakerCheck(policy, key));
        defer(() => health[Symbol.dispose]());
        defer(() => policy.stop());
        return { inspect: () => inspectTargets(policy.describe()) };
      },
    };
  },
});

function logMoves(logger: Logger): MoveListener {
  const levels = { open: 'warn', 'half-open': 'debug', closed: 'info' } as const;
  return (target, to, cause) => {
    logger[levels[to]](`the breaker of "${target}" is ${to}`, { target, ...(to === 'open' && { error: cause }) });
  };
}

/** Keeps the moves of breakers, for the errors that follow them; not those of its probes, which would crowd out all else. */
function noteMoves(telemetry: Telemetry): MoveListener {
  const open = new Set<string>();
  return (target, to, cause) => {
    if (to === 'half-open' || (to === 'open' && open.has(target))) return;
    if (to === 'open') open.add(target);
    else open.delete(target);
    telemetry.breadcrumb({
      category: 'retry.breaker',
      message: `the breaker of "${target}" is ${to}`,
      level: to === 'closed' ? 'info' : 'warn',
      facts: { target, ...(cause !== undefined && { cause: errorKindOf(cause) }) },
      processWide: true,
    });
  };
}

function both(first: MoveListener, second: MoveListener): MoveListener {
  return (...move) => {
    first(...move);
    second(...move);
  };
}

/** The state of each breaker, to be sent with errors. */
function breakerStatesOf(policy: CockatielRetryPolicy): Readonly<Record<string, string>> {
  return Object.fromEntries(policy.describe().map(({ target, state }) => [target, state]));
}

/** For an operator: each breaker, and a finding for each that is not closed. It cannot be held by hand. */
function inspectTargets(reports: readonly TargetReport[]): Inspection {
  const facts = reports.map(({ target, lastCause, ...state }) => [
    target,
    { breaker: { ...state, ...(lastCause !== undefined && { lastCause: summarizeError(lastCause) }) } },
  ]);
  const findings = reports
    .filter(({ state }) => state !== 'closed')
    .map(({ target, state, lastCause }) => {
      const { code, message } = summarizeError(lastCause);
      const output = `It is ${state}. Last cause: ${code === undefined ? '' : `${code}: `}${message}`;
      const hint = 'Fix the cause; the breaker closes by itself when the target answers.';
      return { name: `breaker of ${target}`, status: 'warn', output, hint } as const;
    });
  const calm = {
    name: 'breakers',
    status: 'pass',
    output: `Closed, for all targets called so far: ${reports.length}.`,
  } as const;
  return { facts: { targets: Object.fromEntries(facts) }, findings: findings.length === 0 ? [calm] : findings };
}

/** `name` is the key of the plugin. Warns while a breaker lets nothing through. Never fails: whether the target matters is for its own check to say. */
function breakerCheck(policy: CockatielRetryPolicy, name: string): HealthCheck {
  return {
    name,
    critical: false,
    async check() {
      const down = policy.notClosed();
      if (down.length === 0) return { status: 'pass' };
      return { status: 'warn', output: `Not closed: the breaker of ${down.map(name => `"${name}"`).join(', ')}` };
    },
  };
}
