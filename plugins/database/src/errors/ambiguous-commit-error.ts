import { KeelsonError } from '@keelson/core';
import { causeOf } from './connection-error.js';

/**
 * COMMIT was sent, the connection was lost before the answer, and its outcome is unknown. It is never
 * retried: the writes may be stored.
 */
export class AmbiguousCommitError extends KeelsonError {
  constructor(facts: { readonly name: string; readonly why: string }, cause: unknown) {
    super({
      code: 'DATABASE_AMBIGUOUS_COMMIT',
      message: `It is not known whether the session "${facts.name}" was committed: ${facts.why}.`,
      hint: 'Look whether the writes are there before doing them again; { verifyCommitted } lets the session ask you.',
      facts,
      cause: causeOf(cause),
      http: {
        status: 503,
        title: 'Service Unavailable',
        detail: 'It is not known whether the request was carried out. Look before sending it again.',
      },
    });
  }
}
