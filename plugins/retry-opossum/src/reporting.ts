import {
  errorKindOf,
  type HealthCheck,
  isKeelsonError,
  type Logger,
  type Metrics,
  type Telemetry,
} from '@keelson/core';
import { RetryMetrics } from '@keelson/core/retry';
import { type BreakerMove, breakerStates } from './circuit-breaker.js';
import type { RetryControl } from './retry-control.js';
import type { RetryObserver, TargetReport } from './target.js';

/** Writes a line when a breaker opens, closes or is held, at `debug` while it probes, and when the options change. */
export function logChanges(logger: Logger): RetryObserver {
  return {
    breakerMoved(target, move) {
      logger[levelOf(move)](`the breaker of "${target}" is ${move.to}`, {
        target,
        from: move.from,
        to: move.to,
        ...(move.breakMs === undefined ? {} : { breakMs: Math.round(move.breakMs) }),
        ...(move.cause === undefined ? {} : { error: move.cause }),
      });
    },
    reconfigured(changes) {
      logger.info('options of the retry policy changed', { changes });
    },
  };
}

/** Keeps the moves of breakers, for the errors that follow them; not those of its probes, which would crowd out all else. */
export function noteMoves(telemetry: Telemetry): RetryObserver {
  return {
    breakerMoved: (target, move) => {
      if (levelOf(move) === 'debug') return;
      telemetry.breadcrumb({
        category: 'retry.breaker',
        message: `the breaker of "${target}" is ${move.to}`,
        level: move.to === 'closed' ? 'info' : 'warn',
        facts: { target, from: move.from, ...(move.cause === undefined ? {} : { cause: errorKindOf(move.cause) }) },
        processWide: true,
      });
    },
  };
}

/** The state of each breaker, to be sent with errors. */
export function breakerStatesOf(control: RetryControl): Readonly<Record<string, string>> {
  return Object.fromEntries(control.describe().map(({ target, breaker }) => [target, breaker.state]));
}

/** Counts retries, conflicts, give-ups and moves, and shows the state of each breaker; undefined where nothing is measured. */
export function measure(
  metrics: Metrics,
  control: RetryControl,
): ({ readonly observer: RetryObserver } & Disposable) | undefined {
  if (metrics.silent === true) return undefined;
  const measured = new RetryMetrics(metrics, {
    states: breakerStates,
    targets: () =>
      control.describe().map(({ target, breaker, waiting, counters }) => ({
        target,
        state: breaker.state,
        waiting,
        calls: counters.calls,
        attempts: counters.attempts,
      })),
  });
  return {
    observer: {
      breakerMoved: (target, move) => measured.moved(target, move.to),
      retried: (target, cause) => measured.retried(target, cause),
      ended: (target, outcome) => measured.ended(target, outcome),
      conflicted: target => measured.conflicted(target),
      gaveUp: (target, code) => measured.gaveUp(target, code),
    },
    [Symbol.dispose]: () => measured[Symbol.dispose](),
  };
}

/** `name` is the key of the plugin. Warns while a breaker lets nothing through. Never fails: whether the target matters is for its own check to say. */
export function breakerCheck(control: RetryControl, name: string): HealthCheck {
  return {
    name,
    critical: false,
    async check() {
      const down = control
        .describe()
        .filter(report => ['open', 'half-open', 'held-open'].includes(report.breaker.state));
      if (down.length === 0) return { status: 'pass' };
      return {
        status: 'warn',
        output: `Not closed: the breaker of ${down.map(report => `"${report.target}"`).join(', ')}`,
        facts: Object.fromEntries(down.map(report => [report.target, factsOf(report)])),
      };
    },
  };
}

function levelOf({ from, to }: BreakerMove): 'warn' | 'info' | 'debug' {
  if (to === 'half-open' || (from === 'half-open' && to === 'open')) return 'debug';
  return to === 'closed' ? 'info' : 'warn';
}

function factsOf({ breaker, waiting }: TargetReport) {
  const { state, sinceMs, lastCause } = breaker;
  const cause = isKeelsonError(lastCause) ? { cause: lastCause.code } : {};
  return { state, sinceMs: Math.round(sinceMs), waiting, ...cause };
}
