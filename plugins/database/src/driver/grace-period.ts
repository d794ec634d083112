import type { Clock, Deadline, Timer } from '@keelson/core';
import { SessionClosedError } from '../errors/session-errors.js';
import type { DatabaseDriver, DriverConnection } from './driver.js';

export interface GracePeriodOptions {
  readonly driver: Pick<DatabaseDriver, 'capabilities'>;
  readonly clock: Clock;
  readonly deadline: Deadline;
  readonly signal?: AbortSignal | undefined;
  /** How long a cancelled statement may take to end before its socket is destroyed, in ms. */
  readonly cancelGraceMs: number;
}

/** Waits for a server to end what it was asked to end; one that does not answer loses the socket. One wait at a time. */
export class GracePeriod {
  readonly #options: GracePeriodOptions;
  #timer: Timer | undefined;
  #asked: PromiseWithResolvers<void> | undefined;

  constructor(options: GracePeriodOptions) {
    this.#options = options;
  }

  /** Asks the server to end the statement that runs on `connection`. */
  cancel(connection: DriverConnection): void {
    this.begin(connection);
    if (this.#asked !== undefined || !this.#options.driver.capabilities.has('cancel-query')) return;
    const asked = Promise.withResolvers<void>();
    this.#asked = asked;
    void connection.cancel().finally(asked.resolve);
  }

  /**
   * Resolves when the server has been asked, or `connection` was destroyed: a cancel request that is still under way
   * would end a statement of whoever has the connection next.
   */
  async cancelled(): Promise<void> {
    await this.#asked?.promise;
  }

  /** Destroys `connection` unless `end` is called in time. */
  begin(connection: DriverConnection): void {
    const { cancelGraceMs, signal } = this.#options;
    this.#destroyAfter(cancelGraceMs, connection, () => signal?.reason ?? new SessionClosedError());
  }

  /** The same for a COMMIT, which is never cancelled: it may take until the deadline. */
  untilDeadline(connection: DriverConnection): void {
    const { cancelGraceMs, deadline } = this.#options;
    const waitMs = Math.max(deadline.remainingMs(), cancelGraceMs);
    if (!Number.isFinite(waitMs)) return;
    this.#destroyAfter(waitMs, connection, () => new Error('no answer to COMMIT in time'));
  }

  end(): void {
    this.#timer?.cancel();
  }

  #destroyAfter(ms: number, connection: DriverConnection, reason: () => unknown): void {
    this.end();
    this.#timer = this.#options.clock.schedule(ms, () => {
      connection.destroy(reason());
      this.#asked?.resolve();
    });
  }
}
