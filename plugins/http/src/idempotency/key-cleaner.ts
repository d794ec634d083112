import { type Clock, isKeelsonError, KeelsonError, type Logger, type Timer } from '@keelson/core';
import type { MeasuredJob } from '@keelson/core/metrics';
import type { DatabaseService } from '@keelson/database/contract';
import { createKeyTable, deleteExpired, keyTable } from './key-table.js';

export interface KeyCleanerParts {
  readonly database: DatabaseService;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Pause between two deletions, in ms, up to half of it shorter or longer at random. */
  readonly everyMs?: number;
  readonly random?: () => number;
  /** Runs each deletion, and measures it. Default: it is only run. */
  readonly measured?: MeasuredJob;
}

const tenMinutesMs = 600_000;
const deletedAtOnce = 1_000;

/** Deletes expired keys now and then, some thousand at a time. */
export class KeyCleaner implements Disposable {
  readonly #parts: KeyCleanerParts;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: KeyCleanerParts) {
    this.#parts = parts;
  }

  /** @throws KeelsonError HTTP_IDEMPOTENCY_TABLE_MISSING, or why the database cannot be asked. */
  async start(): Promise<void> {
    await assertTable(this.#parts.database);
    this.#plan();
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Deletes what has expired by now; resolves with the number of keys. */
  async clean(): Promise<number> {
    const { database } = this.#parts;
    for (let deleted = 0; ; ) {
      const count = await database.session(
        async em => (await em.execute<{ affectedRows: number }>(deleteExpired, [deletedAtOnce], 'run')).affectedRows,
        { name: 'http.idempotency-keys' },
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
    const { logger, measured = work => work() } = this.#parts;
    try {
      const count = await measured(() => this.clean());
      if (count > 0) logger.debug('expired idempotency keys deleted', { count });
    } catch (error) {
      if (!this.#isStopped) logger.warn('expired idempotency keys were not deleted', { error });
    }
    this.#plan();
  }
}

async function assertTable(database: DatabaseService): Promise<void> {
  try {
    await database.read(em => em.execute(`select key from ${keyTable} limit 0`), { name: 'http.idempotency-keys' });
  } catch (error) {
    if (!isKeelsonError(error) || error.facts.kind !== 'undefined-table') throw error;
    throw new KeelsonError({
      code: 'HTTP_IDEMPOTENCY_TABLE_MISSING',
      message: `The service has idempotent routes, and its database has no table ${keyTable}.`,
      hint: `Add CreateIdempotencyKeys of @keelson/http/idempotency to the migrations, or run: ${createKeyTable.replaceAll(/\s+/g, ' ').trim()}`,
      cause: error,
    });
  }
}
