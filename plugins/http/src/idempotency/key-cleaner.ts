import { type Clock, isKeelsonError, KeelsonError, type Logger } from '@keelson/core';
import type { MeasuredJob } from '@keelson/core/metrics';
import type { DatabaseService } from '@keelson/database/contract';
import { ExpiredRows } from '../expired-rows.js';
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

const session = 'http.idempotency-keys';

/** Deletes expired keys now and then, some thousand at a time. */
export class KeyCleaner implements Disposable {
  readonly #database: DatabaseService;
  readonly #expired: ExpiredRows;

  constructor(parts: KeyCleanerParts) {
    this.#database = parts.database;
    this.#expired = new ExpiredRows({ ...parts, session, what: 'expired idempotency keys', deleteSql: deleteExpired });
  }

  /** @throws KeelsonError HTTP_IDEMPOTENCY_TABLE_MISSING, or why the database cannot be asked. */
  async start(): Promise<void> {
    await assertTable(this.#database);
    this.#expired.start();
  }

  [Symbol.dispose](): void {
    this.#expired[Symbol.dispose]();
  }

  /** Deletes what has expired by now; resolves with the number of keys. */
  clean(): Promise<number> {
    return this.#expired.clean();
  }
}

async function assertTable(database: DatabaseService): Promise<void> {
  try {
    await database.read(em => em.execute(`select key from ${keyTable} limit 0`), { name: session });
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
