import type { Counter, Metrics } from '../contract/slots/metrics.js';

const source = 'credentials.source';

/** How often a credential was renewed, and how long the present one lasts. */
export class CredentialMetrics {
  readonly #key: string;
  readonly #refreshes: Counter;
  readonly #gauge: Disposable;

  constructor(metrics: Metrics, key: string, remainingMs: () => number | undefined) {
    this.#key = key;
    this.#refreshes = metrics.counter({
      name: 'credentials.refreshes',
      description: 'Attempts to obtain a credential',
      unit: '{attempt}',
      labels: [source, 'outcome'],
    });
    const remaining = {
      name: 'credentials.remaining',
      description: 'Time until the credential expires; not measured for a credential without an expiry time',
      unit: 's',
      labels: [source],
    };
    this.#gauge = metrics.gauge(remaining, () => {
      const ms = remainingMs();
      return ms === undefined ? [] : [{ value: ms / 1_000, labels: { [source]: key } }];
    });
  }

  refreshed(outcome: 'success' | 'failure'): void {
    this.#refreshes.add(1, { [source]: this.#key, outcome });
  }

  close(): void {
    this.#gauge[Symbol.dispose]();
  }
}
