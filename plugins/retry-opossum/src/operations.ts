import { defineOperation, KeelsonError, type Operation, type RunContext } from '@keelson/core';
import { z } from 'zod';
import type { BreakerState } from './circuit-breaker.js';
import type { RetryOptions } from './options.js';
import type { RetryControl } from './retry-control.js';

const target = z.string().min(1).describe('The name of the target.');

/** What an operator may do to the breakers of `control`. */
export function breakerOperations(control: RetryControl): Record<string, Operation<unknown, RetryOptions>> {
  return { hold: hold(control), release: release(control) };
}

/** Holds a breaker whatever happens, until it is released or the process ends. */
function hold(control: RetryControl) {
  return defineOperation({
    description: 'Holds the breaker of a target: open refuses every call to it, closed lets every call through.',
    arguments: z.object({ target, as: z.enum(['open', 'closed']).describe('The state in which the breaker is held.') }),
    run(given, { config }: RunContext<RetryOptions>) {
      refuseUnknown(given.target, control, config);
      if (stateOf(control, given.target) === `held-${given.as}`) {
        return { done: `The breaker of "${given.target}" is held ${given.as} already.`, changed: false };
      }
      control.hold(given.target, given.as);
      return `The breaker of "${given.target}" is held ${given.as} until it is released or the process ends.`;
    },
  });
}

/** Releases a breaker. */
function release(control: RetryControl) {
  return defineOperation({
    description: 'Releases a breaker that is held: it closes, and opens again by its own rules.',
    arguments: z.object({ target }),
    run(given, { config }: RunContext<RetryOptions>) {
      refuseUnknown(given.target, control, config);
      if (!stateOf(control, given.target)?.startsWith('held-')) {
        return { done: `The breaker of "${given.target}" is not held.`, changed: false };
      }
      control.release(given.target);
      return `The breaker of "${given.target}" is closed and follows its own rules again.`;
    },
  });
}

function stateOf(control: RetryControl, name: string): BreakerState | undefined {
  return control.describe().find(report => report.target === name)?.breaker.state;
}

/** A slip in the name must not look like a breaker that is held: what was neither called, declared nor configured is refused. */
function refuseUnknown(name: string, control: RetryControl, config: RetryOptions): void {
  const known = new Set([...control.describe().map(report => report.target), ...Object.keys(config.targets)]);
  if (known.has(name)) return;
  throw new KeelsonError({
    code: 'RETRY_TARGET_UNKNOWN',
    message: `There is no target "${name}".`,
    hint: `Known targets: ${[...known].join(', ') || 'none'}. A target in the option targets is known before its first call.`,
    facts: { target: name, known: [...known] },
  });
}
