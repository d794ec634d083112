import type { Clock, Deadline } from '@keelson/core';
import { withOriginOf } from '../errors/fault-origin.js';
import { OverdueError } from '../errors/overdue-error.js';
import type { BatchOutcome, ConnectionStatus, DatabaseDriver, DriverConnection, Row, Statement } from './driver.js';

export interface BoundedLoanOptions {
  readonly deadline: Deadline;
  /** How long after `deadline` the connection may still be lent: time for the server's own answer, in ms. Default 1000. */
  readonly graceMs?: number;
}

const defaultGraceMs = 1_000;

/**
 * Borrows a connection that is destroyed `graceMs` after `deadline` when it is still lent. The limits of the server do not
 * reach a client whose network swallows everything; this one does. What waits for the server then fails as one that has
 * lost its connection.
 */
export async function borrowWithin(
  { driver, clock }: { readonly driver: Pick<DatabaseDriver, 'acquire'>; readonly clock: Clock },
  { deadline, graceMs = defaultGraceMs }: BoundedLoanOptions,
): Promise<DriverConnection> {
  const lentForMs = deadline.remainingMs() + graceMs;
  return new BoundedLoan(await driver.acquire({ deadline, readOnly: false, lentForMs }), clock, deadline, graceMs);
}

class BoundedLoan implements DriverConnection {
  readonly #connection: DriverConnection;
  readonly #timer: { cancel(): void };
  #overdue: OverdueError | undefined;

  constructor(connection: DriverConnection, clock: Clock, deadline: Deadline, graceMs: number) {
    this.#connection = connection;
    this.#timer = clock.schedule(deadline.remainingMs() + graceMs, () => {
      this.#overdue = new OverdueError();
      connection.destroy(this.#overdue);
    });
  }

  get status(): ConnectionStatus {
    return this.#connection.status;
  }

  get processId(): number | undefined {
    return this.#connection.processId;
  }

  async run(statements: readonly Statement[]): Promise<BatchOutcome> {
    const outcome = await this.#connection.run(statements);
    if (outcome.failure === undefined || this.#overdue === undefined) return outcome;
    return { ...outcome, failure: { error: withOriginOf(this.#overdue, outcome.failure.error) } };
  }

  stream(statement: Statement, chunkSize: number): AsyncIterable<Row[]> {
    return this.#connection.stream(statement, chunkSize);
  }

  copy(sql: string, lines: AsyncIterable<string>): Promise<number> {
    return this.#connection.copy(sql, lines);
  }

  cancel(signal: AbortSignal): Promise<void> {
    return this.#connection.cancel(signal);
  }

  release(): void {
    this.#timer.cancel();
    this.#connection.release();
  }

  destroy(reason: unknown): void {
    this.#timer.cancel();
    this.#connection.destroy(reason);
  }
}
