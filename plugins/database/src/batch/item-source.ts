import type { BatchSource } from './batch-options.js';
import { EventLoopSlice } from './event-loop-slice.js';

interface Reader<Item> {
  next(): Promise<IteratorResult<Item>> | IteratorResult<Item>;
  /** Closes the source before its end. Never rejects: what it throws then is not why the batch ends. */
  close(): Promise<void>;
}

/**
 * Reads a source in chunks, and no faster than asked. Reading ends at once when `signal` aborts, whatever the source
 * is waiting for, and lets timers fire every few milliseconds when it waits for nothing. Disposing closes the source.
 */
export class ItemSource<Item> implements AsyncDisposable {
  readonly #source: BatchSource<Item>;
  readonly #readAgain: boolean;
  #reader: Reader<Item> | undefined;
  /** All that was read, while that is no more than one chunk: enough to begin again with. */
  #taken: Item[] | undefined = [];
  #untouched = true;
  #repeated: Item[] | undefined;
  readonly #slice = new EventLoopSlice();

  constructor(source: BatchSource<Item>) {
    this.#source = source;
    this.#readAgain = canBeReadAgain(source);
  }

  get canRewind(): boolean {
    return this.#readAgain || this.#taken !== undefined;
  }

  /** The next `count` items; fewer when there are no more. */
  async read(count: number, signal: AbortSignal): Promise<Item[]> {
    const repeated = this.#repeated;
    this.#repeated = undefined;
    if (repeated !== undefined) return repeated;
    const first = this.#untouched;
    this.#untouched = false;
    this.#taken = undefined;
    const items = await this.#pull(count, signal);
    if (first) this.#taken = items;
    return items;
  }

  /** Begins again with the first item. Only while `canRewind`. */
  async rewind(): Promise<void> {
    if (this.#untouched) return;
    if (this.#readAgain) {
      await this[Symbol.asyncDispose]();
      this.#reader = undefined;
    } else {
      this.#repeated = this.#taken;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader?.close();
  }

  /**
   * Lets timers fire when the event loop has been held for some milliseconds: a source and a work that wait for nothing
   * would run past every deadline.
   *
   * @throws the reason of `signal` when it has aborted.
   */
  async letTimersFire(signal: AbortSignal): Promise<void> {
    if (this.#slice.isUsedUp) await this.#slice.next();
    signal.throwIfAborted();
  }

  async #pull(count: number, signal: AbortSignal): Promise<Item[]> {
    if (this.#slice.isUsedUp) await this.#slice.next();
    signal.throwIfAborted();
    this.#reader ??= readerOf(this.#source);
    const items: Item[] = [];
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => {});
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (items.length < count) {
        const next = this.#reader.next();
        const { done, value } = next instanceof Promise ? await Promise.race([next, aborted.promise]) : next;
        if (done === true) break;
        items.push(value);
        if (this.#slice.isUsedUp) await this.letTimersFire(signal);
      }
      return items;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** Arrays, Sets and Maps give a new iterator each time, iterators give themselves; an async source may do either. */
function canBeReadAgain(source: BatchSource<unknown>): boolean {
  if (typeof source === 'function') return true;
  return isIterable(source) && Object(source[Symbol.iterator]()) !== source;
}

function readerOf<Item>(source: BatchSource<Item>): Reader<Item> {
  const items = typeof source === 'function' ? source() : source;
  return isIterable(items) ? syncReader(items[Symbol.iterator]()) : asyncReader(items[Symbol.asyncIterator]());
}

function isIterable<Item>(items: Iterable<Item> | AsyncIterable<Item>): items is Iterable<Item> {
  return Symbol.iterator in Object(items);
}

function syncReader<Item>(iterator: Iterator<Item>): Reader<Item> {
  let ended = false;
  return {
    next() {
      const result: IteratorResult<Item> = ended ? { done: true, value: undefined } : iterator.next();
      ended = result.done === true;
      return result;
    },
    async close() {
      if (ended) return;
      ended = true;
      try {
        iterator.return?.();
      } catch {}
    },
  };
}

function asyncReader<Item>(iterator: AsyncIterator<Item>): Reader<Item> {
  let ended = false;
  let waiting = false;
  return {
    async next() {
      if (ended) return { done: true, value: undefined };
      waiting = true;
      const result = await iterator.next().finally(() => {
        waiting = false;
      });
      ended = result.done === true;
      return result;
    },
    async close() {
      if (ended) return;
      ended = true;
      const closed = Promise.resolve()
        .then(() => iterator.return?.())
        .catch(() => {});
      // A generator answers after the `next()` that it is still busy with, which may be never.
      if (!waiting) await closed;
    },
  };
}
