import type { Counter, Histogram, Labels, Metrics } from '@keelson/core';
import { AmbiguousCommitError } from './errors/ambiguous-commit-error.js';
import { type DatabaseSource, observeDatabase, poolLabel } from './observed-database.js';
import type { CommitProofName } from './proof/choices.js';
import type { Outcome } from './transaction/outcome.js';

const operationLabel = 'db.operation.name';
const outcomeLabel = 'keelson.session.outcome';

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** How a session ended; `unknown` for a commit whose outcome cannot be found out. */
export type SessionOutcome = 'committed' | 'rolled_back' | 'unknown';

/** Names of sessions that are remembered with their labels; a service has some dozens. */
const mostNames = 1_000;

/**
 * Metrics of a database, under the names of the OpenTelemetry conventions for database clients.
 * `db.client.connection.pool.name` is the key of the plugin: `database`, `database/reporting`.
 */
export class DatabaseMetrics {
  readonly #pool: Labels;
  readonly #duration: Histogram;
  readonly #retries: Counter;
  readonly #transactions: Counter;
  readonly #resolutions: Counter;
  readonly #repeats: Counter;
  readonly #waits: Histogram;
  readonly #uses: Histogram;
  readonly #gauges: readonly Disposable[];
  /** Of sessions that were committed, by name: nearly all are. */
  readonly #committed = new Map<string, Labels>();
  readonly #ended: Readonly<Record<SessionOutcome, Labels>>;

  constructor(metrics: Metrics, name: string, source: DatabaseSource) {
    this.#pool = Object.freeze({ [poolLabel]: name });
    this.#ended = {
      committed: Object.freeze({ ...this.#pool, [outcomeLabel]: 'committed' }),
      rolled_back: Object.freeze({ ...this.#pool, [outcomeLabel]: 'rolled_back' }),
      unknown: Object.freeze({ ...this.#pool, [outcomeLabel]: 'unknown' }),
    };
    this.#duration = metrics.histogram({
      name: 'db.client.operation.duration',
      description: 'Sessions, with their retries and waits',
      unit: 's',
      labels: [poolLabel, operationLabel, outcomeLabel, 'error.type'],
      buckets: seconds,
    });
    this.#retries = metrics.counter({
      name: 'db.client.operation.retries',
      description: 'Attempts beyond the first',
      unit: '{attempt}',
      labels: [poolLabel, operationLabel],
    });
    this.#transactions = metrics.counter({
      name: 'db.client.transactions',
      description: 'Transactions that had a connection, by how they ended; each attempt is one',
      unit: '{transaction}',
      labels: [poolLabel, outcomeLabel],
    });
    this.#resolutions = metrics.counter({
      name: 'db.client.commit.resolutions',
      description: 'Commits without an answer, by the proof that was used and its result',
      unit: '{commit}',
      labels: [poolLabel, 'keelson.commit.proof', 'keelson.commit.outcome'],
    });
    this.#repeats = metrics.counter({
      name: 'db.client.session.repeated_statements',
      description: 'Sessions that have run statements of one shape more often than repeatedStatements.moreThan',
      unit: '{session}',
      labels: [poolLabel, operationLabel],
    });
    this.#waits = metrics.histogram({
      name: 'db.client.connection.wait_time',
      description: 'How long it took to get a connection',
      unit: 's',
      labels: [poolLabel],
      buckets: seconds,
    });
    this.#uses = metrics.histogram({
      name: 'db.client.connection.use_time',
      description: 'How long a connection was lent',
      unit: 's',
      labels: [poolLabel],
      buckets: seconds,
    });
    this.#gauges = observeDatabase(metrics, this.#pool, source);
    for (const outcome of ['committed', 'rolled_back', 'unknown'] as const)
      this.#transactions.add(0, this.#ended[outcome]);
  }

  /** One session ended, for good. `error` is what its caller gets, if anything. */
  session(operation: string, outcome: SessionOutcome, durationMs: number, attempts: number, error?: unknown): void {
    const type = errorType(error);
    const labels =
      outcome === 'committed' && type === undefined
        ? this.#committedAs(operation)
        : this.#labelsOf(operation, outcome, type);
    this.#duration.record(durationMs / 1_000, labels);
    if (attempts > 1) this.#retries.add(attempts - 1, { ...this.#pool, [operationLabel]: operation });
  }

  /** The transaction of one attempt ended. */
  transaction(outcome: Outcome): void {
    if (outcome.reached) this.#transactions.add(1, this.#ended[sessionOutcomeOf(outcome)]);
  }

  /** A commit was not answered, and its proof was asked. */
  resolved(proof: CommitProofName, outcome: 'committed' | 'aborted' | 'unknown'): void {
    this.#resolutions.add(1, { ...this.#pool, 'keelson.commit.proof': proof, 'keelson.commit.outcome': outcome });
  }

  /** A session has run one statement too often. */
  repeated(operation: string): void {
    this.#repeats.add(1, { ...this.#pool, [operationLabel]: operation });
  }

  /** A connection was lent after this time. */
  waited(durationMs: number): void {
    this.#waits.record(durationMs / 1_000, this.#pool);
  }

  /** A connection came back after this time. */
  used(durationMs: number): void {
    this.#uses.record(durationMs / 1_000, this.#pool);
  }

  close(): void {
    for (const gauge of this.#gauges) gauge[Symbol.dispose]();
  }

  #committedAs(operation: string): Labels {
    const known = this.#committed.get(operation);
    if (known !== undefined) return known;
    const labels = Object.freeze(this.#labelsOf(operation, 'committed', undefined));
    if (this.#committed.size < mostNames) this.#committed.set(operation, labels);
    return labels;
  }

  #labelsOf(operation: string, outcome: SessionOutcome, type: string | undefined): Labels {
    const labels = { ...this.#ended[outcome], [operationLabel]: operation };
    return type === undefined ? labels : { ...labels, 'error.type': type };
  }
}

/** How the opening of connections is measured; undefined where it is not. */
export function measureOpenings(metrics: Metrics, name: string): ((durationMs: number) => void) | undefined {
  if (metrics.silent === true) return undefined;
  const labels: Labels = Object.freeze({ [poolLabel]: name });
  const durations = metrics.histogram({
    name: 'db.client.connection.create_time',
    description: 'How long it took to open a connection',
    unit: 's',
    labels: [poolLabel],
    buckets: seconds,
  });
  return durationMs => durations.record(durationMs / 1_000, labels);
}

export function sessionOutcomeOf(outcome: Outcome): SessionOutcome {
  if (outcome.is === 'committed' || outcome.is === 'unknown') return outcome.is;
  return outcome.is === 'committing' || outcome.is === 'in doubt' ? 'unknown' : 'rolled_back';
}

/** Of a session that failed with `error`. */
export function outcomeOfFailure(error: unknown): SessionOutcome {
  return error instanceof AmbiguousCommitError ? 'unknown' : 'rolled_back';
}

/** Low in cardinality: a code of ours, or nothing more than that it was not. */
function errorType(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z_]+$/.test(code) ? code : 'other';
}
