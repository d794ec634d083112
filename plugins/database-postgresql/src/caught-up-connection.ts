import type { Clock, Deadline } from '@keelson/core';
import {
  type BatchOutcome,
  type ConnectionStatus,
  type DriverConnection,
  type Row,
  type Statement,
  severityOf,
} from '@keelson/database';
import { hasReached, reachedProbe, type WalPosition } from './wal-position.js';

export interface CaughtUpParts {
  readonly after: WalPosition;
  /** Longest wait for the replica. */
  readonly catchUpMs: number;
  readonly deadline: Deadline;
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
  /** Transactions that say nothing else are READ COMMITTED. */
  readonly isReadCommitted: boolean;
  /** Lends a connection to the server that takes writes. */
  readonly primary: () => Promise<DriverConnection>;
  /** The replica was not far enough in time. */
  readonly onBehind: () => void;
}

const pauseMs = 10;

/**
 * A connection to a replica that answers nothing before the replica has replayed all up to a position. The question travels
 * with the first statement. When the answer is no, what else was answered is dropped: it was a read. The replica is waited for,
 * and then the primary takes its place.
 */
export class CaughtUpConnection implements DriverConnection {
  readonly #parts: CaughtUpParts;
  readonly #probe: Statement;
  #inner: DriverConnection;
  #isProven = false;
  /** The server knows the question. */
  #canAsk = true;

  constructor(replica: DriverConnection, parts: CaughtUpParts) {
    this.#inner = replica;
    this.#parts = parts;
    this.#probe = reachedProbe(parts.after);
  }

  get status(): ConnectionStatus {
    return this.#inner.status;
  }

  get processId(): number | undefined {
    return this.#inner.processId;
  }

  /** What ends a transaction that failed before it was asked goes through, too. */
  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    if (this.#isProven || this.status !== 'idle') return this.#inner.run(statements);
    const at = this.#placeIn(statements);
    const asking = at === undefined ? [this.#probe] : statements.toSpliced(at, 0, this.#probe);
    const outcome = await this.#inner.run(asking);
    if (isOver(outcome, at ?? 0)) return outcome;
    this.#note(outcome, at ?? 0);
    if (this.#isProven && at !== undefined) return without(outcome, at);
    try {
      if (!this.#isProven) await this.#prove();
    } catch (error) {
      return { results: [], failure: { error } };
    }
    return this.#inner.run(statements);
  }

  async *stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    if (!this.#isProven) await this.#prove();
    yield* this.#inner.stream(statement, chunkSize);
  }

  copy(sql: string, lines: AsyncIterable<string>): Promise<number> {
    return this.#inner.copy(sql, lines);
  }

  cancel(signal: AbortSignal): Promise<void> {
    return this.#inner.cancel(signal);
  }

  release(): void {
    this.#inner.release();
  }

  destroy(reason: unknown): void {
    this.#inner.destroy(reason);
  }

  /**
   * Behind BEGIN, where each statement sees what was replayed before it. With one snapshot for all, that of the question would
   * be older than its answer: then it is asked before.
   */
  #placeIn(statements: readonly Statement[]): number | undefined {
    const [begin] = statements;
    if (begin?.sql.startsWith('begin') !== true) return undefined;
    const isolation = /isolation level (\w+ \w+|\w+)/.exec(begin.sql)?.[1];
    return isolation === 'read committed' || (isolation === undefined && this.#parts.isReadCommitted) ? 1 : undefined;
  }

  /** Waits for the replica, and takes the primary when that is not enough. */
  async #prove(): Promise<void> {
    const { primary, onBehind, signal } = this.#parts;
    if (!(await this.#catchesUp())) {
      signal?.throwIfAborted();
      onBehind();
      // A caller that holds one connection and waits for another may wait for itself.
      this.#inner.release();
      this.#inner = await primary();
    }
    this.#isProven = true;
  }

  async #catchesUp(): Promise<boolean> {
    const { clock, catchUpMs, deadline, signal } = this.#parts;
    const until = deadline.within(catchUpMs);
    const isTransaction = this.status === 'in transaction' || this.status === 'failed transaction';
    if (isTransaction) await this.#inner.run([{ sql: 'rollback' }]);
    while (this.#canAsk && this.status === 'idle' && !until.passed && signal?.aborted !== true) {
      await clock.sleep(Math.min(pauseMs, until.remainingMs()), signal).catch(() => {});
      this.#note(await this.#inner.run([this.#probe]), 0);
      if (this.#isProven) return true;
    }
    return false;
  }

  #note({ results }: BatchOutcome, at: number): void {
    const answer = results[at];
    this.#canAsk = answer !== undefined;
    this.#isProven = hasReached(answer?.rows[0]);
  }
}

/** It has failed before the question, or lost the connection: nothing is known of the replica. */
function isOver({ results, failure }: BatchOutcome, at: number): boolean {
  if (failure === undefined || results.length > at) return false;
  return results.length < at || severityOf(failure.error) !== 'ERROR';
}

function without({ results, ...outcome }: BatchOutcome, at: number): BatchOutcome {
  return { ...outcome, results: results.toSpliced(at, 1) };
}
