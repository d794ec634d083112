import type { Clock, Logger, Timer } from '@keelson/core';
import type { MeasuredJob } from '@keelson/core/metrics';
import type { DatabaseService } from '@keelson/database/contract';

export interface ExpiredRowsParts {
  readonly database: DatabaseService;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the sessions: `http.idempotency-keys`. */
  readonly session: string;
  /** In log lines: `expired idempotency keys`. */
  readonly what: string;
  /** Deletes as many rows as its parameter says, and passes over what another instance deletes. */
  readonly deleteSql: string;
  /** Pause between two deletions, in ms, up to half of it shorter or longer at random. */
  readonly everyMs?: number | undefined;
  readonly random?: (() => number) | undefined;
  /** Runs each deletion, and measures it. Default: it is only run. */
  readonly measured?: MeasuredJob | undefined;
}

const tenMinutesMs = 600_000;
const deletedAtOnce = 1_000;

/** Deletes expired rows now and then, some thousand at a time. */
export class ExpiredRows implements Disposable {
  readonly #parts: ExpiredRowsParts;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: ExpiredRowsParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#plan();
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Deletes what has expired by now; resolves with the number of rows. */
  async clean(): Promise<number> {
    const { database, session, deleteSql } = this.#parts;
    for (let deleted = 0; ; ) {
      const count = await database.session(
        async em => (await em.execute<{ affectedRows: number }>(deleteSql, [deletedAtOnce], 'run')).affectedRows,
        { name: session },
      );
      deleted += count;
      if (count < deletedAtOnce || this.#isStopped) return deleted;
    }
  }

  #plan(): void {
    if (this.#isStopped) return;
    const { clock, everyMs = tenMinutesMs, random = Math.random } = this.#parts;
    // At other moments than the other instances, which may have started with this one.
    this.#timer = clock.schedule(everyMs * (0.5 + random()), () => void this.#run());
  }

  async #run(): Promise<void> {
    const { logger, what, measured = work => work() } = this.#parts;
    try {
      const count = await measured(() => this.clean());
      if (count > 0) logger.debug(`${what} deleted`, { count });
    } catch (error) {
      if (!this.#isStopped) logger.warn(`${what} were not deleted`, { error });
    }
    this.#plan();
  }
}
