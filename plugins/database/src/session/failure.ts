import { isKeelsonError } from '@keelson/core';
import { AmbiguousCommitError } from '../errors/ambiguous-commit-error.js';
import { originOf } from '../errors/fault-origin.js';
import { SessionAbortedError, TransactionFailedError } from '../errors/session-errors.js';
import { translate } from '../errors/translate.js';
import { judgedWithReplicas, judgeWork } from '../retry/failure-verdict.js';
import { type Failure, type Outcome, phaseOf } from '../transaction/outcome.js';

/** What is known of a session when it fails. */
export interface FailureContext {
  readonly name: string;
  readonly readOnly: boolean;
  /** Whose database it runs on: only what came out of this driver is a failure of the database. */
  readonly driver: object;
  /** Several servers may answer it. */
  readonly viaReplicas: boolean;
}

/** Why a session ends with `error`, given how it stands. `origin` is what a nested session had translated it from. */
export function failureOf(outcome: Outcome, error: unknown, context: FailureContext, origin?: unknown): Failure {
  // Whatever else has ended it: that something may be stored is never kept from its caller.
  if (error instanceof AmbiguousCommitError) {
    return { error, verdict: verdictOn(outcome, error, context), endedBy: undefined };
  }
  if (outcome.is === 'ended by hand') {
    return { error: outcome.error, verdict: { retry: false, availability: 'up' }, endedBy: undefined };
  }
  const ended = origin === undefined ? whatEnded(outcome, error) : undefined;
  if (ended !== undefined) {
    const verdict = verdictOn(outcome, ended, context);
    if (verdict.retry) return { error: inItsPlace(error, asSeen(outcome, ended, true)), verdict, endedBy: undefined };
  }
  const endedBy = outcome.abortedBy;
  const cause = endedBy ?? origin ?? error;
  const verdict = verdictOn(outcome, cause, context);
  if (origin !== undefined && cause === origin) return { error, verdict, endedBy };
  return { error: asSeen(outcome, cause, verdict.retry), verdict, endedBy };
}

/**
 * What ended the transaction, when its work has failed with an error of its own since: it swallowed the first, or wrapped it.
 * After a lost connection or a conflict the unit runs again all the same, for what it found out meanwhile means nothing.
 */
function whatEnded(outcome: Outcome, error: unknown): unknown {
  if (outcome.abortedBy !== undefined || originOf(error) !== undefined) return undefined;
  return outcome.is === 'failed' ? outcome.by : undefined;
}

/** An error of the work itself is its caller's, as it is. */
function inItsPlace(error: unknown, failure: unknown): unknown {
  if (!isKeelsonError(error, 'DATABASE_TRANSACTION_FAILED')) return error;
  return new TransactionFailedError(failure, isKeelsonError(failure) ? failure.http : undefined);
}

/** The server says that the transaction of a lost COMMIT was aborted: nothing of it is there. */
export function failureOfAborted(outcome: Outcome & { readonly is: 'in doubt' }, { name }: FailureContext): Failure {
  const verdict = { retry: true, availability: 'down' } as const;
  if (!outcome.late) return { error: asSeen(outcome, outcome.error, true), verdict, endedBy: undefined };
  const endedBy = new SessionAbortedError({ name, reason: 'deadline' }, outcome.error);
  return { error: endedBy, verdict, endedBy };
}

/** Says so when the unit would have been run again, had its work allowed it. */
function asSeen({ notRepeated }: Outcome, cause: unknown, wouldRepeat: boolean): unknown {
  return translate(cause, wouldRepeat && notRepeated !== undefined ? { notRepeated } : {});
}

function verdictOn(outcome: Outcome, error: unknown, context: FailureContext): Failure['verdict'] {
  const { readOnly, driver, viaReplicas } = context;
  const alone = judgeWork(error, { phase: phaseOf(outcome), readOnly, driver });
  const verdict = viaReplicas ? judgedWithReplicas(alone, outcome.reached) : alone;
  // What was answered before it was aborted was reported at the time; by now the server may be silent.
  const isKnown = verdict.availability !== 'unknown' || outcome.abortedBy !== undefined || !outcome.answered;
  return isKnown ? verdict : { ...verdict, availability: 'up' };
}
