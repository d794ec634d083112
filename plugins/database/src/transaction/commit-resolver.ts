import type { Clock, Deadline } from '@keelson/core';
import type { DatabaseDriver, TransactionOutcome } from '../driver/driver.js';
import { byDeadline } from './bounded.js';

export type CommitResolution =
  | { readonly is: 'committed' }
  | { readonly is: 'aborted' }
  | { readonly is: 'unknown'; readonly why: string };

/** Longest look for an answer when the session itself has no deadline. */
const longestMs = 30_000;
const pauseMs = 50;

/**
 * Finds the outcome of an unanswered COMMIT by asking the server over another connection
 * (`pg_xact_status`, PostgreSQL 10 and later). Asks again while the server starts or the old connection still ends.
 */
export class CommitResolver {
  readonly #driver: DatabaseDriver;
  readonly #clock: Clock;
  readonly #closed: AbortSignal;

  /** Sends no query once `closed` has aborted. */
  constructor(driver: DatabaseDriver, clock: Clock, closed: AbortSignal) {
    this.#driver = driver;
    this.#clock = clock;
    this.#closed = closed;
  }

  async resolve(
    transactionId: string | undefined,
    deadline: Deadline,
    verifyCommitted: (() => Promise<boolean>) | undefined,
  ): Promise<CommitResolution> {
    const canAsk = this.#driver.capabilities.has('commit-lookup');
    // Who has a proof of their own must be asked in time.
    const askMs = verifyCommitted === undefined ? longestMs : Math.min(longestMs, deadline.remainingMs() / 2);
    const until = deadline.within(askMs);
    const said = canAsk && transactionId !== undefined ? await this.#ask(transactionId, until) : 'unknown';
    // Where a write may be stored without the id, the id says only that it is: not that it is not.
    const isWhole = this.#driver.capabilities.has('write-implies-id');
    if (said === 'committed' || (said === 'aborted' && isWhole)) return { is: said };
    if (verifyCommitted !== undefined && !deadline.passed) return this.#verify(verifyCommitted, deadline);
    if (this.#closed.aborted) return { is: 'unknown', why: 'the database service was closed before the answer' };
    const why = canAsk && transactionId === undefined ? 'the transaction has no id' : whyUnknown(canAsk, said);
    return { is: 'unknown', why };
  }

  async #ask(transactionId: string, until: Deadline): Promise<TransactionOutcome | 'no answer'> {
    const controller = new AbortController();
    const giveUp = () => controller.abort(new Error('no time left'));
    const timer = this.#clock.schedule(until.remainingMs(), giveUp);
    this.#closed.addEventListener('abort', giveUp, { once: true });
    let said: TransactionOutcome | 'no answer' = 'no answer';
    try {
      while (!until.passed && !this.#closed.aborted) {
        said = await this.#driver
          .transactionOutcome(transactionId, controller.signal)
          .catch(() => 'no answer' as const);
        if (said !== 'in progress' && said !== 'no answer') return said;
        await this.#clock.sleep(Math.min(pauseMs, until.remainingMs()), controller.signal).catch(() => {});
      }
    } finally {
      this.#closed.removeEventListener('abort', giveUp);
      timer.cancel();
    }
    return said;
  }

  async #verify(verifyCommitted: () => Promise<boolean>, deadline: Deadline): Promise<CommitResolution> {
    try {
      const committed = await byDeadline(verifyCommitted(), deadline, this.#clock);
      if (committed === undefined) return { is: 'unknown', why: 'verifyCommitted had not returned by the deadline' };
      return { is: committed ? 'committed' : 'aborted' };
    } catch {
      return { is: 'unknown', why: 'verifyCommitted could not tell either' };
    }
  }
}

function whyUnknown(canAsk: boolean, said: TransactionOutcome | 'no answer'): string {
  if (!canAsk) return 'this driver cannot ask what became of a transaction';
  if (said === 'aborted') return 'the database may have stored what an aborted transaction wrote elsewhere';
  if (said === 'no answer') return 'the database did not answer within the deadline';
  if (said === 'in progress') return 'the transaction was still in progress at the deadline';
  return 'the database no longer knows the transaction';
}
