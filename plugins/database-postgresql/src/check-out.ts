import type { Clock, Deadline } from '@keelson/core';
import type pg from 'pg';

export interface CheckOutOptions {
  readonly clock: Clock;
  readonly until: Deadline;
  readonly signal: AbortSignal | undefined;
  /** A client that comes when its caller has gone. */
  readonly onLate: (client: pg.PoolClient) => void;
  /** A connection could not be opened; also called when the caller has gone. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * A client of `pool`, which must have room for one more: what is waited for is the server, and not another caller. pg.Pool
 * cannot stop a wait; `onLate` gets a client that comes too late.
 *
 * Rejects with an `UnansweredError` at `until`, with the reason of `signal`, or with what opening the connection failed with.
 */
export function checkOut(
  pool: pg.Pool,
  { clock, until, signal, onLate, onFailure }: CheckOutOptions,
): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    const stop = (error: unknown) => {
      leave();
      reject(error);
    };
    const onAbort = () => stop(signal?.reason);
    const timer = clock.schedule(until.remainingMs(), () => stop(new UnansweredError()), { keepAlive: true });
    const leave = () => {
      waiting = false;
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    pool.connect().then(
      client => {
        if (!waiting) {
          onLate(client);
          return;
        }
        leave();
        resolve(client);
      },
      error => {
        onFailure(error);
        if (waiting) stop(error);
      },
    );
  });
}

/** As the operating system says it, had it been asked to give up by then. */
export class UnansweredError extends Error {
  readonly code = 'ETIMEDOUT';
  readonly syscall = 'connect';

  constructor() {
    super('the server has not answered in time');
  }
}
