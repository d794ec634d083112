import type { Counter, Histogram, Metrics } from '@keelson/core';
import type { PoolStats } from './driver/driver.js';
import type { CommitProofName } from './proof/choices.js';

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Metrics of a database, under the names of the OpenTelemetry conventions for database clients.
 * `db.client.connection.pool.name` is the key of the plugin: `database`, `database/reporting`.
 */
export class DatabaseMetrics {
  readonly #pool: { readonly 'db.client.connection.pool.name': string };
  readonly #duration: Histogram;
  readonly #retries: Counter;
  readonly #timeouts: Counter;
  readonly #resolutions: Counter;
  readonly #repeats: Counter;
  readonly #gauges: readonly Disposable[];

  constructor(metrics: Metrics, name: string, stats: () => PoolStats) {
    const poolLabel = 'db.client.connection.pool.name';
    this.#pool = { [poolLabel]: name };
    this.#duration = metrics.histogram({
      name: 'db.client.operation.duration',
      description: 'Sessions, retries and waits included.',
      unit: 's',
      labels: [poolLabel, 'db.operation.name', 'error.type'],
      buckets: seconds,
    });
    this.#retries = metrics.counter({
      name: 'db.client.operation.retries',
      description: 'Attempts beyond the first.',
      unit: '{attempt}',
      labels: [poolLabel, 'db.operation.name'],
    });
    this.#timeouts = metrics.counter({
      name: 'db.client.connection.timeouts',
      description: 'Sessions that got no connection in time.',
      unit: '{timeout}',
      labels: [poolLabel],
    });
    this.#resolutions = metrics.counter({
      name: 'db.client.commit.resolutions',
      description: 'Commits without an answer, by the proof that was asked and what it said.',
      unit: '{commit}',
      labels: [poolLabel, 'keelson.commit.proof', 'keelson.commit.outcome'],
    });
    this.#repeats = metrics.counter({
      name: 'db.client.session.repeated_statements',
      description: 'Sessions that have run statements of one shape more often than repeatedStatements.moreThan.',
      unit: '{session}',
      labels: [poolLabel, 'db.operation.name'],
    });
    const gauge = (what: string, description: string, read: (now: PoolStats) => number) =>
      metrics.gauge(
        { name: `db.client.connection.${what}`, description, unit: '{connection}', labels: [poolLabel] },
        () => [{ value: read(stats()), labels: this.#pool }],
      );
    this.#gauges = [
      metrics.gauge(
        {
          name: 'db.client.connection.count',
          description: 'Connections, by what they do.',
          unit: '{connection}',
          labels: [poolLabel, 'db.client.connection.state'],
        },
        () => this.#counts(stats()),
      ),
      gauge('max', 'Most connections.', ({ max }) => max),
      gauge('pending_requests', 'Sessions that wait for a connection.', ({ waiting }) => waiting),
    ];
  }

  /** One session ended, for good. */
  session(operation: string, durationMs: number, attempts: number, error: unknown): void {
    const type = errorType(error);
    const labels = { ...this.#pool, 'db.operation.name': operation };
    this.#duration.record(durationMs / 1_000, type === undefined ? labels : { ...labels, 'error.type': type });
    if (attempts > 1) this.#retries.add(attempts - 1, labels);
    if (type === 'DATABASE_ACQUIRE_TIMEOUT') this.#timeouts.add(1, this.#pool);
  }

  /** A commit was not answered, and its proof was asked. */
  resolved(proof: CommitProofName, outcome: 'committed' | 'aborted' | 'unknown'): void {
    this.#resolutions.add(1, { ...this.#pool, 'keelson.commit.proof': proof, 'keelson.commit.outcome': outcome });
  }

  /** A session has run one statement too often. */
  repeated(operation: string): void {
    this.#repeats.add(1, { ...this.#pool, 'db.operation.name': operation });
  }

  close(): void {
    for (const gauge of this.#gauges) gauge[Symbol.dispose]();
  }

  #counts({ idle, busy }: PoolStats): { value: number; labels: Record<string, string> }[] {
    return [
      { value: idle, labels: { ...this.#pool, 'db.client.connection.state': 'idle' } },
      { value: busy, labels: { ...this.#pool, 'db.client.connection.state': 'used' } },
    ];
  }
}

/** Low in cardinality: a code of ours, or nothing more than that it was not. */
function errorType(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z_]+$/.test(code) ? code : 'other';
}
