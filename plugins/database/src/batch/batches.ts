import { type Clock, currentDeadline, Deadline, KeelsonError, type Logger } from '@keelson/core';
import type { EntityName, RequiredEntityData } from '@mikro-orm/core';
import type { DatabaseService } from '../database-service.js';
import type { DatabaseDriver } from '../driver/driver.js';
import type { DatabaseCapability } from '../driver/engine.js';
import type { EntityManager } from '../orm/entity-manager.js';
import type { CurrentSession } from '../session/current-session.js';
import type { UnitSession } from '../session/unit-session.js';
import { inBlock } from '../transaction/block-scope.js';
import { byDeadline, orAborted } from '../transaction/bounded.js';
import type { BatchOptions, BatchProgress, BatchSession, BatchSource, BatchWork } from './batch-options.js';
import { BulkInsert } from './bulk-insert.js';
import { EntityRows } from './entity-rows.js';
import { ItemSource } from './item-source.js';
import { runBatch } from './run-batch.js';

export interface BatchesParts {
  readonly session: DatabaseService['session'];
  readonly current: CurrentSession<UnitSession>;
  readonly driver: Pick<DatabaseDriver, 'capabilities'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs: number;
}

const chunkSizes = { batch: 500, insert: 500, copy: 5_000 };

/** `batch` and `bulkInsert`: many items, one transaction, the memory of one chunk. */
export class Batches {
  readonly #parts: BatchesParts;

  constructor(parts: BatchesParts) {
    this.#parts = parts;
  }

  run<Item>(items: BatchSource<Item>, work: BatchWork<Item>, options: BatchOptions = {}): Promise<BatchProgress> {
    return this.#run(items, () => work, { name: 'batch', ...options }, chunkSizes.batch);
  }

  insert<Entity extends object>(
    entity: EntityName<Entity>,
    rows: BatchSource<RequiredEntityData<Entity>>,
    options: BatchOptions = {},
  ): Promise<BatchProgress> {
    const named = { name: 'bulk-insert', ...options };
    // A table that refuses COPY ends the transaction, unless a savepoint takes the refusal back.
    const copies = this.#able('copy') && this.#able('savepoints');
    return this.#run(
      rows,
      (em, session) => {
        const rows = new EntityRows(em.getMetadata(entity), em);
        const insert = new BulkInsert({ rows, platform: em.getPlatform(), session, copies });
        return (chunkEm, chunk, context) => insert.store(chunkEm, chunk, context);
      },
      named,
      copies ? chunkSizes.copy : chunkSizes.insert,
    );
  }

  #able(capability: DatabaseCapability): boolean {
    return this.#parts.driver.capabilities.has(capability);
  }

  async #run<Item>(
    items: BatchSource<Item>,
    workFor: (em: EntityManager, session: BatchSession) => BatchWork<Item>,
    { chunkSize: given, onProgress, ...options }: BatchOptions,
    defaultChunkSize: number,
  ): Promise<BatchProgress> {
    const chunkSize = given ?? defaultChunkSize;
    assertUsable(items, chunkSize);
    const { session, current, clock, logger, timeoutMs } = this.#parts;
    const outer = options.nested === 'separate' ? undefined : current.get();
    const source = new ItemSource(items);
    const own = Deadline.after(options.timeoutMs ?? timeoutMs, clock);
    const deadline = Deadline.earliest(own, options.deadline, outer?.deadline, currentDeadline());
    const store = () =>
      session(
        async em => {
          const inside = current.get();
          if (inside === undefined) throw new Error('bug: a batch without a session');
          const run = {
            session: inside,
            em,
            ownsEntityManager: outer === undefined,
            source,
            work: workFor(em, inside),
            chunkSize,
            repeatable: options.retry !== 'never' && this.#able('savepoints'),
            onProgress,
            clock,
            logger,
          };
          return inBlock(() => runBatch(run));
        },
        { timeoutMs, ...options },
      );
    try {
      return await store();
    } finally {
      await byDeadline(orAborted(source[Symbol.asyncDispose](), options.signal), deadline, clock);
    }
  }
}

function assertUsable(items: unknown, chunkSize: unknown): void {
  if (!Number.isSafeInteger(chunkSize) || Number(chunkSize) < 1) {
    throw invalid(
      `chunkSize must be a whole number above 0, not ${typeof chunkSize === 'number' ? chunkSize : typeof chunkSize}.`,
    );
  }
  const source = Object(items);
  if (typeof items !== 'function' && !(Symbol.iterator in source) && !(Symbol.asyncIterator in source)) {
    throw invalid('The items of a batch must be an iterable, an async iterable, or a function that makes one.');
  }
}

function invalid(message: string): KeelsonError {
  return new KeelsonError({
    code: 'DATABASE_BATCH_INVALID',
    message,
    hint: 'Fix the arguments of batch() or bulkInsert(). Nothing was sent to the database.',
  });
}
