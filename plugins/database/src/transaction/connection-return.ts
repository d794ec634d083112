import type { Clock } from '@keelson/core';
import type { DatabaseDriver, DriverConnection } from '../driver/driver.js';
import { SessionClosedError } from '../errors/session-errors.js';

export interface ConnectionReturnOptions {
  readonly driver: Pick<DatabaseDriver, 'capabilities'>;
  readonly clock: Clock;
  /** Why a connection whose server stays silent is destroyed; `SessionClosedError` while it has not aborted. */
  readonly signal?: AbortSignal | undefined;
  /** How long the server may stay silent at each step before the socket is destroyed, in ms. */
  readonly cancelGraceMs: number;
}

/** Pause between two requests to cancel the same statement. */
const cancelAgainMs = 300;

/**
 * Returns connections in the background: each stays lent until the server has said that it is clean,
 * and is destroyed when the server says nothing. Nothing here rejects.
 */
export class ConnectionReturn {
  readonly #options: ConnectionReturnOptions;

  constructor(options: ConnectionReturnOptions) {
    this.#options = options;
  }

  /** Cancels what runs, rolls back and returns the connection. `ended` closes what runs and resolves afterwards. */
  async takeBack(connection: DriverConnection, ended?: () => Promise<unknown>): Promise<void> {
    if (ended !== undefined && !(await this.#end(connection, ended))) return;
    const { status } = connection;
    if (status === 'idle' || status === 'lost') connection.release();
    else await this.releaseAfter(connection, connection.run([{ sql: 'rollback' }]));
  }

  /** Returns the connection once `last` is done. */
  async releaseAfter(connection: DriverConnection, last: Promise<unknown>): Promise<void> {
    if (await this.#patiently(connection, last)) connection.release();
  }

  /**
   * A cancel request still under way would end a statement of the next borrower, so it is waited for too. What cannot be
   * cancelled is waited for: for as long as anything else, or, over the only connection that there is, until it ends.
   */
  async #end(connection: DriverConnection, ended: () => Promise<unknown>): Promise<boolean> {
    const end = ended().catch(() => {});
    const { capabilities } = this.#options.driver;
    if (!capabilities.has('cancel')) {
      if (capabilities.has('multi-connection')) return this.#patiently(connection, end);
      await end;
      return true;
    }
    const request = new AbortController();
    const done = await this.#patiently(connection, this.#cancelUntil(end, connection, request.signal));
    request.abort();
    return done;
  }

  /** Asks again while it runs: a request is lost that comes before the server, or a pooler that lets it wait, has begun. */
  async #cancelUntil(end: Promise<unknown>, connection: DriverConnection, signal: AbortSignal): Promise<void> {
    let isRunning = true;
    const ended = end.then(() => {
      isRunning = false;
    });
    while (isRunning && !signal.aborted) {
      await connection.cancel(signal);
      await this.#orLater(ended);
    }
  }

  /** Resolves with `step`, or after a while. */
  #orLater(step: Promise<unknown>): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#options.clock.schedule(cancelAgainMs, resolve);
      void step.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** False when `step` took too long and the connection was destroyed. */
  #patiently(connection: DriverConnection, step: Promise<unknown>): Promise<boolean> {
    const { clock, cancelGraceMs, signal } = this.#options;
    return new Promise(resolve => {
      const timer = clock.schedule(cancelGraceMs, () => {
        connection.destroy(signal?.reason ?? new SessionClosedError());
        resolve(false);
      });
      const done = () => {
        timer.cancel();
        resolve(true);
      };
      step.then(done, done);
    });
  }
}
