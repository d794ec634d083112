import { type Clock, type Facts, type Logger, runWithDeadline } from '@keelson/core';
import type { DatabaseService } from '@keelson/database/contract';
import { countRequest } from './count-table.js';
import type { Count, Counter } from './counter.js';
import { mostCallers } from './memory-counter.js';
import type { RateLimitOptions } from './options.js';

export interface DatabaseCounterParts {
  readonly name: string;
  readonly options: Pick<RateLimitOptions, 'limit' | 'windowMs'>;
  readonly database: DatabaseService;
  /** Counts while the database cannot be asked. */
  readonly meanwhile: Counter;
  /** Called for each request that it counts. */
  readonly onMeanwhile: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Longest wait for the database: a limit must not slow the requests that it lets through. */
const longestMs = 2_000;
/** How long the database is left alone after it could not be asked. */
const restMs = 1_000;
/** Pause between two log lines about that. */
const logEveryMs = 60_000;

/** Counts in the database, so that all instances of a service count together. */
export class DatabaseCounter implements Counter {
  readonly #parts: DatabaseCounterParts;
  /** Callers that have used up their window, and when it ends: they cost the database nothing more. */
  readonly #over = new Map<string, number>();
  #restsUntil = Number.NEGATIVE_INFINITY;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: DatabaseCounterParts) {
    this.#parts = parts;
  }

  async count(key: string): Promise<Count> {
    const { clock, database } = this.#parts;
    const leftMs = (this.#over.get(key) ?? 0) - clock.now();
    if (leftMs > 0) return { left: -1, leftMs };
    this.#over.delete(key);
    if (clock.now() < this.#restsUntil) return this.#countHere(key);
    try {
      if (database.state.is === 'connected') return await this.#ask(key);
      this.#log({ database: database.state.is });
    } catch (error) {
      this.#log({ error });
    }
    this.#restsUntil = clock.now() + restMs;
    return this.#countHere(key);
  }

  #countHere(key: string): Count | Promise<Count> {
    this.#parts.onMeanwhile();
    return this.#parts.meanwhile.count(key);
  }

  async #ask(key: string): Promise<Count> {
    const { name, options, database, clock } = this.#parts;
    // Without the deadline of the request: a client that does not wait would look like a database that does not answer.
    const [row] = await runWithDeadline(undefined, () =>
      database.session(
        em => em.execute<{ count: number; leftMs: number }[]>(countRequest, [key, 1, options.windowMs]),
        { name: 'http.rate-limits', timeoutMs: longestMs, retry: 'never', nested: 'separate' },
      ),
    );
    if (row === undefined) throw new Error(`bug: the rate limit ${name} has no count`);
    const count = { left: options.limit - row.count, leftMs: row.leftMs };
    if (count.left <= 0) this.#remember(key, clock.now() + count.leftMs);
    return count;
  }

  #remember(key: string, endsAt: number): void {
    if (this.#over.size >= mostCallers) this.#over.clear();
    this.#over.set(key, endsAt);
  }

  #log(facts: Facts): void {
    const { clock, logger, name } = this.#parts;
    if (clock.now() - this.#loggedAt < logEveryMs) return;
    this.#loggedAt = clock.now();
    logger.warn('requests counted in this process: the database does not answer', { rateLimit: name, ...facts });
  }
}
