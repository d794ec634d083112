import type { Counter, Labels, Metrics } from '../contract/slots/metrics.js';
import type { RetryErrorCode } from './retry-errors.js';

/** What is read of one target at each collection. */
export interface MeasuredTarget {
  readonly target: string;
  /** Of its breaker. */
  readonly state: string;
  /** Calls that wait for the target to come back; left out by a policy that does not count them. */
  readonly waiting?: number;
  /** Calls and attempts since the start; left out by a policy that does not count them. */
  readonly calls?: number;
  readonly attempts?: number;
}

export interface RetryMetricsSource {
  /** Every state of a breaker. */
  readonly states: readonly string[];
  targets(): readonly MeasuredTarget[];
}

/** Metrics of a retry policy: the same for every implementation. */
export class RetryMetrics implements Disposable {
  readonly #retries: Counter;
  readonly #retriedCalls: Counter;
  readonly #conflicts: Counter;
  readonly #giveUps: Counter;
  readonly #moves: Counter;
  readonly #gauges: readonly Disposable[];

  constructor(metrics: Metrics, source: RetryMetricsSource) {
    const counter = (name: string, description: string, unit: string, ...labels: string[]) =>
      metrics.counter({ name: `resilience.${name}`, description, unit, labels: ['target', ...labels] });
    this.#retries = counter(
      'retries',
      'Retries that used the retry budget, by the code of the failure before',
      '{attempt}',
      'reason',
    );
    this.#retriedCalls = counter(
      'retried_calls',
      'Calls that had more than one attempt, by how they ended',
      '{call}',
      'outcome',
    );
    this.#conflicts = counter(
      'conflicts',
      'Attempts that ended in a conflict; their retries cost no budget',
      '{attempt}',
    );
    this.#giveUps = counter('give_ups', 'Calls that ended in an error of the policy', '{call}', 'code');
    this.#moves = counter('circuit_breaker.moves', 'Changes of the state of a breaker', '{move}', 'state');
    this.#gauges = [
      metrics.gauge(
        {
          name: 'resilience.circuit_breaker.state',
          description: '1 for the state of the breaker, 0 for the other states',
          unit: '{breaker}',
          labels: ['target', 'state'],
        },
        () =>
          source
            .targets()
            .flatMap(({ target, state: now }) =>
              source.states.map(state => ({ value: state === now ? 1 : 0, labels: { target, state } })),
            ),
      ),
      observed(metrics, source, 'waiting_calls', 'Calls that wait for the target to come back', 'waiting'),
      observed(metrics, source, 'calls', 'Calls that made at least one attempt', 'calls'),
      observed(metrics, source, 'attempts', 'Attempts, including the first', 'attempts'),
    ];
  }

  /** A further attempt is made after `cause`. */
  retried(target: string, cause: unknown): void {
    this.#retries.add(1, { target, reason: reasonOf(cause) });
  }

  /** A call that had more than one attempt has ended. */
  ended(target: string, outcome: 'success' | 'failure'): void {
    this.#retriedCalls.add(1, { target, outcome });
  }

  conflicted(target: string): void {
    this.#conflicts.add(1, { target });
  }

  gaveUp(target: string, code: RetryErrorCode): void {
    this.#giveUps.add(1, { target, code });
  }

  moved(target: string, state: string): void {
    this.#moves.add(1, { target, state });
  }

  [Symbol.dispose](): void {
    for (const gauge of this.#gauges) gauge[Symbol.dispose]();
  }
}

const units = { waiting: '{call}', calls: '{call}', attempts: '{attempt}' };

function observed(
  metrics: Metrics,
  source: RetryMetricsSource,
  name: string,
  description: string,
  key: keyof typeof units,
): Disposable {
  const options = { name: `resilience.${name}`, description, unit: units[key], labels: ['target'] };
  const monotonic = key === 'waiting' ? {} : { monotonic: true };
  return metrics.gauge({ ...options, ...monotonic }, () =>
    source.targets().flatMap(measured => {
      const value = measured[key];
      const labels: Labels = { target: measured.target };
      return value === undefined ? [] : [{ value, labels }];
    }),
  );
}

/** Low in cardinality: a code, or nothing more than that there is none. */
function reasonOf(cause: unknown): string {
  const code: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : undefined;
  return typeof code === 'string' && /^[A-Z0-9][A-Z0-9_]{2,60}$/.test(code) ? code : 'other';
}
