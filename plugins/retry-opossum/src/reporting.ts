import {
  errorKindOf,
  type HealthCheck,
  isKeelsonError,
  type Logger,
  type Metrics,
  type Telemetry,
} from '@keelson/core';
import { type BreakerMove, breakerStates } from './circuit-breaker.js';
import type { RetryControl } from './retry-control.js';
import type { RetryObserver, TargetReport } from './target.js';

/** Writes a line when a breaker opens, closes or is held, at `debug` while it probes, and when the options change. */
export function logChanges(logger: Logger): RetryObserver {
  return {
    breakerMoved(target, move) {
      logger[levelOf(move)](`The breaker of "${target}" is ${move.to}`, {
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

/** Counts retries, conflicts, give-ups and moves, and shows the state of each breaker, one series for each state. */
export function measure(metrics: Metrics, control: RetryControl): { observer: RetryObserver } & Disposable {
  const retries = metrics.counter({
    name: 'resilience.retries',
    description: 'Attempts after the first that counted against the budget',
    unit: '{attempt}',
    labels: ['target'],
  });
  const conflicts = metrics.counter({
    name: 'resilience.conflicts',
    description: 'Attempts that ended in a conflict; their repetitions cost no budget',
    unit: '{attempt}',
    labels: ['target'],
  });
  const giveUps = metrics.counter({
    name: 'resilience.give_ups',
    description: 'Calls that ended in an error of the policy',
    unit: '{call}',
    labels: ['target', 'code'],
  });
  const moves = metrics.counter({
    name: 'resilience.circuit_breaker.moves',
    description: 'Changes of state',
    unit: '{move}',
    labels: ['target', 'state'],
  });
  const state = metrics.gauge(
    {
      name: 'resilience.circuit_breaker.state',
      description: '1 for the state the breaker is in, 0 for the others',
      unit: '1',
      labels: ['target', 'state'],
    },
    () => control.describe().flatMap(oneHot),
  );
  const waiting = metrics.gauge(
    {
      name: 'resilience.waiting_calls',
      description: 'Calls that wait for the target to come back',
      unit: '{call}',
      labels: ['target'],
    },
    () => control.describe().map(report => ({ value: report.waiting, labels: { target: report.target } })),
  );
  return {
    observer: {
      breakerMoved: (target, move) => moves.add(1, { target, state: move.to }),
      retried: target => retries.add(1, { target }),
      conflicted: target => conflicts.add(1, { target }),
      gaveUp: (target, code) => giveUps.add(1, { target, code }),
    },
    [Symbol.dispose]() {
      state[Symbol.dispose]();
      waiting[Symbol.dispose]();
    },
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

function oneHot({ target, breaker }: TargetReport) {
  return breakerStates.map(state => ({ value: state === breaker.state ? 1 : 0, labels: { target, state } }));
}

function factsOf({ breaker, waiting }: TargetReport) {
  const { state, sinceMs, lastCause } = breaker;
  const cause = isKeelsonError(lastCause) ? { cause: lastCause.code } : {};
  return { state, sinceMs: Math.round(sinceMs), waiting, ...cause };
}
