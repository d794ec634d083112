import type { Clock, Deadline } from '@keelson/core';
import type { DatabaseDriver, DriverConnection } from '../driver/driver.js';
import { SessionClosedError } from '../errors/session-errors.js';
import { isConnectionLoss } from '../errors/sql-state.js';
import { orAborted } from './bounded.js';
import { BreakableWait } from './breakable-wait.js';
import { ConnectionReturn } from './connection-return.js';
import { mayUseReplica, type TransactionSettings } from './transaction-settings.js';
import type { UnitOutcome } from './unit-outcome.js';

export interface HeldConnectionOptions {
  readonly driver: DatabaseDriver;
  readonly deadline: Deadline;
  readonly settings: TransactionSettings;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** How long the server may stay silent at each step before the socket is destroyed, in ms. */
  readonly cancelGraceMs: number;
  readonly outcome: UnitOutcome;
}

/**
 * The connection of one transaction, and what waits for it. It is taken at the first statement, and returned or
 * destroyed on every way out.
 */
export class HeldConnection {
  /** The wait for the connection, or for an answer over it. */
  readonly wait = new BreakableWait();
  readonly #options: HeldConnectionOptions;
  readonly #return: ConnectionReturn;
  #connection: DriverConnection | undefined;
  #unlisten: (() => void) | undefined;

  constructor(options: HeldConnectionOptions) {
    this.#options = options;
    this.#return = new ConnectionReturn(options);
  }

  get current(): DriverConnection | undefined {
    return this.#connection;
  }

  acquire(): Promise<DriverConnection> {
    const { driver, deadline, signal, settings, outcome } = this.#options;
    this.#listen();
    outcome.move({ it: 'asks for a connection' });
    const { readOnly, after, maxLagMs } = settings;
    const acquired = driver.acquire({
      deadline,
      readOnly,
      fresh: !mayUseReplica(settings),
      ...(after !== undefined && { after }),
      ...(maxLagMs !== undefined && { maxLagMs }),
      ...(signal && { signal }),
    });
    return this.wait.until(acquired.then(connection => this.#hold(connection))).catch((error: unknown) => {
      outcome.move({ it: 'failed', by: error });
      throw error;
    });
  }

  /** Why a caller that still waits gets no answer. */
  reason(): unknown {
    const { signal } = this.#options;
    return signal?.aborted === true ? signal.reason : new SessionClosedError();
  }

  /** Gives it back, so that the first statement may try another. */
  async exchange(cause: unknown): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    if (isConnectionLoss(cause)) connection.destroy(cause);
    else await orAborted(this.#return.takeBack(connection), this.#options.signal);
  }

  /**
   * Ends the wait of a caller. Resolves when the server has rolled back, or when the signal aborts:
   * then the rest is done in the background. Never rejects.
   */
  async takeBack(): Promise<void> {
    const connection = this.#letGo();
    const ended = this.wait.abandon(() => this.reason());
    if (connection !== undefined) await orAborted(this.#return.takeBack(connection, ended), this.#options.signal);
  }

  /** No session may go on in its state. */
  destroy(reason: unknown): void {
    this.#letGo()?.destroy(reason);
  }

  release(): void {
    this.#letGo()?.release();
  }

  /** Gives it back in the background, once `last` is done. */
  releaseAfter(last: Promise<unknown>): void {
    const connection = this.#letGo();
    if (connection !== undefined) void this.#return.releaseAfter(connection, last);
  }

  #letGo(): DriverConnection | undefined {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#unlisten?.();
    return connection;
  }

  /** A connection that comes when the transaction has ended goes back as it came. */
  #hold(connection: DriverConnection): DriverConnection {
    const { outcome, signal } = this.#options;
    if (outcome.now.is === 'reaching' && signal?.aborted !== true) {
      this.#connection = connection;
      outcome.move({ it: 'has a connection' });
      return connection;
    }
    connection.release();
    throw this.reason();
  }

  #listen(): void {
    const { signal } = this.#options;
    if (signal === undefined || this.#unlisten !== undefined) return;
    const onAbort = () => this.#onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const unlisten = () => signal.removeEventListener('abort', onAbort);
    this.#unlisten = unlisten;
  }

  /** Takes the connection back at once: work that heeds no signal may hold on to the session for ever. */
  #onAbort(): void {
    if (this.#options.outcome.now.is !== 'committing') void this.takeBack();
  }
}
