import type { Clock, Deadline } from '@keelson/core';
import type pg from 'pg';
import { asPgClient } from './pg-internals.js';

/** Longest wait for servers to close idle connections, in ms. */
const goodbyeMs = 500;

/** The sockets of a pool that are not closed yet, also of clients that have left the pool. */
export class OpenSockets {
  readonly #pool: pg.Pool;
  readonly #clock: Clock;
  readonly #open = new Set<pg.ClientBase>();

  constructor(pool: pg.Pool, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
    pool.on('connect', client => this.#open.add(client));
    pool.on('remove', client => this.#open.delete(client));
  }

  /**
   * Resolves when all are closed, after the end of the pool. pg.Pool does not wait for the server to take its goodbye; a
   * server that is gone would leave the socket open for minutes, so what is open after 500 ms or at `deadline` is destroyed.
   */
  closed(deadline: Deadline): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise(resolve => {
      const remainingMs = Math.max(0, deadline.within(goodbyeMs).remainingMs());
      const timer = this.#clock.schedule(remainingMs, () => this.#destroy(), { keepAlive: true });
      this.#pool.on('remove', () => {
        if (this.#open.size > 0) return;
        timer.cancel();
        resolve();
      });
    });
  }

  #destroy(): void {
    for (const client of this.#open) asPgClient(client).connection.stream.destroy();
  }
}
