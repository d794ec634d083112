import type { Clock, Deadline } from '@keelson/core';
import type { TransactionOutcome } from '../driver/driver.js';
import type { CommitProofName } from '../proof/choices.js';
import type { CommitProof } from '../proof/commit-proof.js';
import { byDeadline } from './bounded.js';

export type CommitResolution =
  | { readonly is: 'committed' }
  | { readonly is: 'aborted' }
  | { readonly is: 'unknown'; readonly why: string };

/** Longest look for an answer when the session itself has no deadline. */
const longestMs = 30_000;
const pauseMs = 50;
/** Longest first wait for one answer; the next is twice as long. */
const firstAnswerMs = 2_000;

/** `late`: no answer within the time that one may take. */
type Said = TransactionOutcome | 'no answer' | 'late';

/** Where it is counted what became of commits that were not answered. */
export type ResolutionCount = (proof: CommitProofName, resolution: CommitResolution['is']) => void;

/**
 * Finds the outcome of an unanswered COMMIT by its proof, over another connection. Asks again while the server starts or
 * the old connection still ends.
 */
export class CommitResolver {
  readonly #proof: CommitProof;
  readonly #clock: Clock;
  readonly #closed: AbortSignal;
  readonly #count: ResolutionCount;

  /** Sends no query once `closed` has aborted. */
  constructor(proof: CommitProof, clock: Clock, closed: AbortSignal, count: ResolutionCount = () => {}) {
    this.#proof = proof;
    this.#clock = clock;
    this.#closed = closed;
    this.#count = count;
  }

  /** The proof that is used. */
  get proof(): CommitProofName {
    return this.#proof.name;
  }

  async resolve(
    commitKey: string | undefined,
    deadline: Deadline,
    verifyCommitted: (() => Promise<boolean>) | undefined,
  ): Promise<CommitResolution> {
    const resolution = await this.#resolve(commitKey, deadline, verifyCommitted);
    this.#count(this.proof, resolution.is);
    return resolution;
  }

  async #resolve(
    commitKey: string | undefined,
    deadline: Deadline,
    verifyCommitted: (() => Promise<boolean>) | undefined,
  ): Promise<CommitResolution> {
    const canAsk = this.proof !== 'none';
    // Who has a proof of their own must be asked in time.
    const askMs = verifyCommitted === undefined ? longestMs : Math.min(longestMs, deadline.remainingMs() / 2);
    const until = deadline.within(askMs);
    const said = canAsk && commitKey !== undefined ? await this.#ask(commitKey, until) : 'unknown';
    // Where a part is committed before the transaction, the proof says only that it is stored: not that it is not.
    if (said === 'committed' || (said === 'aborted' && this.#proof.isWhole)) return { is: said };
    if (verifyCommitted !== undefined && !deadline.passed) return this.#verify(verifyCommitted, deadline);
    if (this.#closed.aborted) return { is: 'unknown', why: 'the database service was closed before the answer' };
    const why = canAsk && commitKey === undefined ? unmarked[this.#proof.name] : whyUnknown(this.#proof.name, said);
    return { is: 'unknown', why };
  }

  async #ask(commitKey: string, until: Deadline): Promise<Said> {
    const controller = new AbortController();
    const startedAt = this.#clock.now();
    const giveUp = () => controller.abort(new Error('no time left'));
    const timer = this.#clock.schedule(until.remainingMs(), giveUp);
    this.#closed.addEventListener('abort', giveUp, { once: true });
    if (until.passed || this.#closed.aborted) giveUp();
    let said: Said = 'no answer';
    try {
      // A Node timer may fire up to 1 ms early: with `until.passed` the loop would block the process for the rest.
      let answerMs = firstAnswerMs;
      while (!controller.signal.aborted) {
        said = await this.#outcome(commitKey, controller.signal, answerMs, this.#clock.now() - startedAt);
        if (said === 'late') answerMs *= 2;
        if (said !== 'in progress' && said !== 'no answer' && said !== 'late') return said;
        await this.#clock.sleep(Math.min(pauseMs, until.remainingMs()), controller.signal).catch(() => {});
      }
    } finally {
      this.#closed.removeEventListener('abort', giveUp);
      timer.cancel();
    }
    return said;
  }

  /** The connection may be dead, and no sign of that arrives: after `answerMs` the query is sent again, over a new one. */
  async #outcome(commitKey: string, signal: AbortSignal, answerMs: number, askedForMs: number): Promise<Said> {
    const late = new AbortController();
    const timer = this.#clock.schedule(answerMs, () => late.abort(new Error('no answer in time')));
    return this.#proof
      .outcome(commitKey, AbortSignal.any([signal, late.signal]), askedForMs)
      .catch(() => (late.signal.aborted ? 'late' : 'no answer'))
      .finally(() => timer.cancel());
  }

  async #verify(verifyCommitted: () => Promise<boolean>, deadline: Deadline): Promise<CommitResolution> {
    try {
      const committed = await byDeadline(verifyCommitted(), deadline, this.#clock);
      if (committed === undefined) return { is: 'unknown', why: 'verifyCommitted had not returned by the deadline' };
      return { is: committed ? 'committed' : 'aborted' };
    } catch {
      return { is: 'unknown', why: 'verifyCommitted failed as well' };
    }
  }
}

const unmarked: Readonly<Record<CommitProofName, string>> = {
  'transaction-id': 'the transaction has no id',
  token: 'the transaction has written no token',
  none: 'no proof is kept of its commits',
};

function whyUnknown(proof: CommitProofName, said: Said): string {
  if (proof === 'none') return unmarked.none;
  if (said === 'aborted')
    return 'the database reports that the transaction was aborted, but may have stored a part of it on another server';
  if (said === 'no answer' || said === 'late') return 'the database did not answer within the deadline';
  if (said === 'in progress') return 'the transaction was still in progress at the deadline';
  return proof === 'token' ? 'its token may be deleted already' : 'the database no longer knows the transaction';
}
