import type { Clock, Deadline } from '@keelson/core';
import { ConnectionError } from '@keelson/database';

export interface WritableWatchParts {
  readonly clock: Clock;
  /** One look: `read-only` while the address leads to a server that takes no writes. Never rejects. */
  readonly look: () => Promise<'read-only' | 'anything else'>;
  readonly random?: () => number;
}

/** Pause between two looks, up to half of it less at random. */
const pauseMs = 100;

/** Longest wait here: what lasts longer is an outage, which the retry policy waits out. */
const longestWaitMs = 2_000;

/**
 * The address has led to a server that takes writes, and leads to one that takes none: a load balancer or a name was
 * switched, or a failover is not done. All who may write wait for one that looks.
 */
export class WritableWatch {
  readonly #parts: WritableWatchParts;
  #looking: Promise<void> | undefined;
  #waiting = 0;

  constructor(parts: WritableWatchParts) {
    this.#parts = parts;
  }

  /** @throws ConnectionError when nothing has changed by `until`, or before that; the reason of `signal`. */
  async wait(until: Deadline, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { clock } = this.#parts;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal?.reason);
    const timer = clock.schedule(until.within(longestWaitMs).remainingMs(), () => reject(readOnlyAddress()), {
      keepAlive: true,
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting += 1;
    this.#looking ??= this.#look();
    void this.#looking.then(resolve);
    try {
      await promise;
    } finally {
      this.#waiting -= 1;
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves when a caller may try again, and when none waits any more. Never rejects. */
  async #look(): Promise<void> {
    const { clock, look, random = Math.random } = this.#parts;
    do await clock.sleep(pauseMs * (1 - random() / 2));
    while (this.#waiting > 0 && (await look()) === 'read-only');
    this.#looking = undefined;
  }
}

function readOnlyAddress(): ConnectionError {
  return new ConnectionError({
    code: 'DATABASE_CONNECT_FAILED',
    message: 'The address of the database leads to a read-only server; before, it led to a server that accepts writes.',
    hint: 'Check where the load balancer or the name leads; a standby takes over only after its promotion.',
    facts: { target: 'read-write' },
  });
}
