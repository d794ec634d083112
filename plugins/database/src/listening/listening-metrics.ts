import type { Counter, Metrics } from '@keelson/core';
import type { GapReason, ListeningStats } from './listen-options.js';

/** Metrics of what is listened to, and the same numbers for operators. `db.client.connection.pool.name` as of the pool. */
export class ListeningMetrics {
  readonly #labels: { readonly 'db.client.connection.pool.name': string };
  readonly #received: Counter;
  readonly #gaps: Counter;
  readonly #failures: Counter;
  readonly #gauges: readonly Disposable[];
  readonly #counts = { received: 0, invalid: 0, failed: 0 };
  readonly #gapCounts: Record<GapReason, number> = { started: 0, reconnected: 0, overflow: 0, resumed: 0 };

  constructor(metrics: Metrics, name: string, stats: () => ListeningStats) {
    const poolLabel = 'db.client.connection.pool.name';
    this.#labels = { [poolLabel]: name };
    this.#received = metrics.counter({
      name: 'db.client.notifications.received',
      description: 'Messages of channels that the service listens to',
      unit: '{message}',
      labels: [poolLabel],
    });
    this.#gaps = metrics.counter({
      name: 'db.client.notifications.gaps',
      description: 'Times when messages may have been missed, by reason',
      unit: '{gap}',
      labels: [poolLabel, 'reason'],
    });
    this.#failures = metrics.counter({
      name: 'db.client.notifications.failures',
      description: 'Messages that the schema refused or whose handler failed',
      unit: '{message}',
      labels: [poolLabel, 'reason'],
    });
    const gauge = (what: string, description: string, unit: string, read: (now: ListeningStats) => number) =>
      metrics.gauge({ name: `db.client.notifications.${what}`, description, unit, labels: [poolLabel] }, () => [
        { value: read(stats()), labels: this.#labels },
      ]);
    this.#gauges = [
      gauge('listening', '1 while the service listens, 0 while the connection is lost', '{listener}', ({ state }) =>
        state === 'listening' ? 1 : 0,
      ),
      gauge('queued', 'Events that wait for their handlers', '{event}', ({ queued }) => queued),
    ];
  }

  get counters(): ListeningStats['counters'] {
    return { ...this.#counts, gaps: { ...this.#gapCounts } };
  }

  received(): void {
    this.#counts.received += 1;
    this.#received.add(1, this.#labels);
  }

  gap(reason: GapReason): void {
    this.#gapCounts[reason] += 1;
    this.#gaps.add(1, { ...this.#labels, reason });
  }

  invalid(): void {
    this.#counts.invalid += 1;
    this.#failures.add(1, { ...this.#labels, reason: 'invalid' });
  }

  failed(): void {
    this.#counts.failed += 1;
    this.#failures.add(1, { ...this.#labels, reason: 'handler' });
  }

  close(): void {
    for (const gauge of this.#gauges) gauge[Symbol.dispose]();
  }
}
