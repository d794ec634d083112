import type { Clock, Logger } from '@keelson/core';
import { QueryError } from '../errors/query-error.js';
import type { EntityManager } from '../orm/entity-manager.js';
import { letFlushBeLast } from '../orm/late-unit-of-work.js';
import type { BatchContext, BatchProgress, BatchSession, BatchWork } from './batch-options.js';
import { CopyRefused } from './bulk-insert.js';
import { findItem, ItemFailure, isAboutData } from './find-item.js';
import type { ItemSource } from './item-source.js';

export interface BatchRun<Item> {
  readonly session: BatchSession;
  /** Of the session, or of the savepoint that the batch runs in. */
  readonly em: EntityManager;
  /** `em` was made for this batch: no other code has entities in it. */
  readonly ownsEntityManager: boolean;
  readonly source: ItemSource<Item>;
  readonly work: BatchWork<Item>;
  readonly chunkSize: number;
  /** False for work that must not run twice, not even to be taken back. */
  readonly repeatable: boolean;
  readonly onProgress: ((progress: BatchProgress) => unknown) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const savepoints = new WeakMap<BatchSession['transaction'], number>();

/** Names of savepoints, unique in the transaction: batches may run inside batches. */
function nextSavepoint({ transaction }: BatchSession): string {
  const number = (savepoints.get(transaction) ?? 0) + 1;
  savepoints.set(transaction, number);
  return `keelson_batch_${number}`;
}

/** Stores all items of the source, chunk after chunk, in the session's transaction. */
export async function runBatch<Item>(run: BatchRun<Item>): Promise<BatchProgress> {
  const { session, source, chunkSize, clock } = run;
  const startedAt = clock.now();
  await source.rewind();
  // Where to go back to for a look at what failed. Sent with the first statement, and one is enough for all chunks: a
  // transaction of many subtransactions slows down everybody else's reads.
  const start = nextSavepoint(session);
  if (session.transaction.driver.capabilities.has('savepoints')) await session.transaction.savepoint(start);
  let progress: BatchProgress = { done: 0, chunks: 0, elapsedMs: 0 };
  for (;;) {
    const items = await source.read(chunkSize, session.signal);
    if (!source.canRewind) session.forbidRepeat('safe to repeat, but the source of the batch cannot be read again');
    if (items.length > 0) {
      await storeOrExplain(run, start, items, progress);
      const { done, chunks } = progress;
      progress = { done: done + items.length, chunks: chunks + 1, elapsedMs: clock.now() - startedAt };
      await report(run, progress);
    }
    await source.letTimersFire(session.signal);
    if (items.length < chunkSize) return { ...progress, elapsedMs: clock.now() - startedAt };
  }
}

async function storeOrExplain<Item>(
  run: BatchRun<Item>,
  start: string,
  items: readonly Item[],
  before: BatchProgress,
): Promise<void> {
  try {
    await storeWithoutCopyIfRefused(run, start, items, before);
  } catch (error) {
    if (error instanceof ItemFailure) throw failedAt(run, error.cause, before.done + error.index);
    if (!isAboutData(error, run.session.transaction.driver)) throw error;
    const index = run.repeatable ? await lookFor(run, start, items, before, error) : undefined;
    if (index !== undefined) throw failedAt(run, error, before.done + index);
    throw new QueryError(error, { firstItem: before.done, lastItem: before.done + items.length - 1 });
  }
}

/** A table that takes no COPY says so at the first chunk: then nothing of the batch is stored yet. */
async function storeWithoutCopyIfRefused<Item>(
  run: BatchRun<Item>,
  start: string,
  items: readonly Item[],
  before: BatchProgress,
): Promise<void> {
  try {
    await store(run, items, before, false);
  } catch (error) {
    if (!(error instanceof CopyRefused)) throw error;
    if (before.done > 0) throw error.cause;
    await run.session.transaction.rollbackToSavepoint(start);
    await store(run, items, before, false);
  }
}

/** The entities of a chunk are forgotten with it, so that a batch of any length needs the memory of one chunk. */
async function store<Item>(
  { session, work, em: given, ownsEntityManager }: BatchRun<Item>,
  items: readonly Item[],
  before: BatchProgress,
  probing: boolean,
): Promise<void> {
  const { attempt, signal } = session;
  const em = ownsEntityManager ? given : given.fork({ clear: true, keepTransactionContext: true });
  if (probing) em.getUnitOfWork(false).clear();
  const context: BatchContext = { chunk: before.chunks, firstItem: before.done, attempt, signal, probing };
  await work(em, items, context);
  letFlushBeLast(em);
  await em.flush();
  em.getUnitOfWork(false).clear();
}

function failedAt<Item>({ session }: BatchRun<Item>, error: unknown, itemIndex: number): unknown {
  return isAboutData(error, session.transaction.driver) ? new QueryError(error, { itemIndex }) : error;
}

/** Never rejects: the error that is looked into counts more than one met on the way. */
async function lookFor<Item>(
  run: BatchRun<Item>,
  start: string,
  items: readonly Item[],
  before: BatchProgress,
  error: unknown,
): Promise<number | undefined> {
  const { transaction } = run.session;
  const probe = (tried: readonly Item[]) => tryOut(run, tried, before);
  try {
    await transaction.rollbackToSavepoint(start);
    const alone = await findItem(items, error, probe);
    if (alone !== undefined || !run.source.canRewind || before.done === 0) return alone;
    // It fails only after what came before it: a duplicate of an earlier item.
    await storeAgain(run, before.chunks);
    return await findItem(items, error, probe);
  } catch {
    return undefined;
  }
}

async function tryOut<Item>(run: BatchRun<Item>, items: readonly Item[], before: BatchProgress): Promise<unknown> {
  const { transaction } = run.session;
  const savepoint = nextSavepoint(run.session);
  await transaction.savepoint(savepoint);
  const failure = await store(run, items, before, true).then(
    () => undefined,
    (error: unknown) => (error instanceof ItemFailure ? error.cause : error),
  );
  await transaction.rollbackToSavepoint(savepoint);
  return failure;
}

async function storeAgain<Item>(run: BatchRun<Item>, chunks: number): Promise<void> {
  const { source, chunkSize, session } = run;
  await source.rewind();
  for (let chunk = 0; chunk < chunks; chunk++) {
    const items = await source.read(chunkSize, session.signal);
    await store(run, items, { done: chunk * chunkSize, chunks: chunk, elapsedMs: 0 }, true);
  }
}

async function report<Item>({ onProgress, logger }: BatchRun<Item>, progress: BatchProgress): Promise<void> {
  try {
    await onProgress?.(progress);
  } catch (error) {
    logger.error('onProgress of a batch failed', { error });
  }
}
