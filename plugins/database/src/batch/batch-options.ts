import type { EntityManager } from '../orm/entity-manager.js';
import type { SessionOptions } from '../session/database-session.js';
import type { UnitSession } from '../session/unit-session.js';

/**
 * What a batch reads. An array, a Set or a Map can be read again, and so can what a function makes: it is called once
 * for each attempt. An iterator, a generator or a stream can be read once, so a batch over one is not run again after
 * its first chunk.
 */
export type BatchSource<Item> = Iterable<Item> | AsyncIterable<Item> | (() => Iterable<Item> | AsyncIterable<Item>);

export interface BatchProgress {
  /** Items stored so far. In `onProgress`, their transaction is not yet committed. */
  readonly done: number;
  readonly chunks: number;
  readonly elapsedMs: number;
}

export interface BatchOptions extends Omit<SessionOptions, 'readOnly' | 'deferrable'> {
  /** Items stored together. Default: 500, and 5,000 for `bulkInsert` on a driver with COPY. */
  readonly chunkSize?: number;
  /** Runs after each chunk; the batch waits for it. An error in it is logged and changes nothing. */
  readonly onProgress?: (progress: BatchProgress) => unknown;
}

/** Where in the batch the work is. */
export interface BatchContext {
  /** 0 for the first. */
  readonly chunk: number;
  /** How many items came before this chunk. */
  readonly firstItem: number;
  /** 1 for the first; greater when the whole batch is run again. */
  readonly attempt: number;
  /** Aborts when the session does. */
  readonly signal: AbortSignal;
  /** True while the batch looks for the item that failed: whatever is stored now is taken back. */
  readonly probing: boolean;
}

/** Stores one chunk. Flushed after it resolves. */
export type BatchWork<Item> = (em: EntityManager, items: readonly Item[], context: BatchContext) => Promise<void>;

/** The parts of a session that a batch needs. */
export type BatchSession = Pick<UnitSession, 'attempt' | 'signal' | 'transaction' | 'forbidRepeat'>;
