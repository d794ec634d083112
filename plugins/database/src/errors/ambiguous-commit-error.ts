import { KeelsonError } from '@keelson/core';
import type { CommitProofName } from '../proof/choices.js';
import { causeOf } from './connection-error.js';

/**
 * COMMIT was sent, the connection was lost before the answer, and its outcome is unknown. It is never
 * retried: the writes may be stored.
 */
export class AmbiguousCommitError extends KeelsonError {
  constructor(
    facts: {
      readonly name: string;
      /** As in the log lines of the session. */
      readonly sessionId?: string;
      readonly why: string;
      readonly proof: CommitProofName;
    },
    cause: unknown,
  ) {
    super({
      code: 'DATABASE_AMBIGUOUS_COMMIT',
      message: `It is not known whether the session "${facts.name}" was committed: ${facts.why} (${proofs[facts.proof]}).`,
      hint: `Check whether the writes are stored before you repeat them, or pass { verifyCommitted }: the session calls it to check.${better[facts.proof]}`,
      facts,
      cause: causeOf(cause),
      http: {
        status: 503,
        title: 'Service Unavailable',
        detail: 'It is not known whether the request was carried out. Check this before you send it again.',
      },
    });
  }
}

const proofs: Readonly<Record<CommitProofName, string>> = {
  'transaction-id': 'proof: transaction id',
  token: 'proof: token',
  none: 'no proof',
};

const better: Readonly<Record<CommitProofName, string>> = {
  'transaction-id': ' With commitProof: token, the outcome is known even after a crash or a failover.',
  token: '',
  none: ' Or set commitProof: token.',
};
