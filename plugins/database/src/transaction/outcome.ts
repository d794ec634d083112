import type { FailureVerdict } from '@keelson/core';
import type { SessionAbortedError, TransactionByHandError } from '../errors/session-errors.js';
import type { FailurePhase } from '../retry/failure-verdict.js';

/** Why nothing of a unit is stored. */
export interface Failure {
  /** As the caller sees it. */
  readonly error: unknown;
  readonly verdict: FailureVerdict;
  /** What ended the unit before its time, when that is why. */
  readonly endedBy: SessionAbortedError | undefined;
}

/** What stays known of a unit, whatever becomes of it. */
interface Course {
  /** The last try got a connection. */
  readonly reached: boolean;
  /** The server has done BEGIN and all that waited with it. */
  readonly answered: boolean;
  /** Known with the first answer: by it the commit can be looked up later. */
  readonly commitKey: string | undefined;
  /** Its time was over, or its caller gave up, before COMMIT was sent. */
  readonly abortedBy: SessionAbortedError | undefined;
  /** Work that had joined it failed: it must not be committed. */
  readonly partFailed: { readonly cause: unknown } | undefined;
  /** Why it does not run again. */
  readonly notRepeated: string | undefined;
}

/**
 * How one attempt at a unit of work stands:
 *
 *     untouched ─> reaching ─> open ─> committing ─> committed
 *                     │         │          ├──────> in doubt ─> committed, rolling back, unknown
 *                     └> failed <──────────┘
 *
 * Until COMMIT is sent, each may be `cut short` or `ended by hand`, and each may go to `rolling back` and then `rolled back`.
 */
export type Outcome = Course &
  (
    | { readonly is: 'untouched' }
    /** A connection is asked for. */
    | { readonly is: 'reaching' }
    | { readonly is: 'open' }
    /** Nothing more can run, unless a savepoint takes the failure back. `by`: what the work may have swallowed. */
    | { readonly is: 'failed'; readonly at: FailurePhase; readonly connected: boolean; readonly by?: unknown }
    /** It was ended before its owner knows. `unused`: there was nothing to lose. */
    | { readonly is: 'cut short'; readonly unused: boolean }
    /** Its own work ended it, or was about to. `stored`: what ran before may be stored. */
    | { readonly is: 'ended by hand'; readonly error: TransactionByHandError; readonly stored: boolean }
    /** COMMIT was sent. */
    | { readonly is: 'committing' }
    /** COMMIT was sent and not answered, or (`late`) not by the deadline. */
    | { readonly is: 'in doubt'; readonly error: unknown; readonly late: boolean }
    | { readonly is: 'committed' }
    /** Nothing of it is stored; the server, or a callback, is not done yet. */
    | { readonly is: 'rolling back'; readonly failure: Failure | undefined }
    | { readonly is: 'rolled back'; readonly failure: Failure | undefined }
    /** Whether it is stored cannot be found out, or a part of it is. */
    | { readonly is: 'unknown'; readonly error: Error }
  );

export type OutcomeEvent =
  | { readonly it: 'asks for a connection' }
  | { readonly it: 'has a connection' }
  /** The server has done all that was sent to it until now. */
  | { readonly it: 'was answered'; readonly commitKey: string | undefined }
  | { readonly it: 'failed'; readonly by?: unknown }
  /** ROLLBACK TO SAVEPOINT has taken the failure back. */
  | { readonly it: 'was mended' }
  /** The first statement is to be tried again, on another connection. */
  | { readonly it: 'starts afresh' }
  | { readonly it: 'lost a part'; readonly cause: unknown }
  | { readonly it: 'must not repeat'; readonly why: string }
  | { readonly it: 'was aborted'; readonly by: SessionAbortedError }
  /** The work ended the transaction past its session, or was refused to: COMMIT as a statement, `em.rollback()`. */
  | { readonly it: 'was ended by hand'; readonly error: TransactionByHandError; readonly stored: boolean }
  | { readonly it: 'sent COMMIT' }
  /** The server said so, or there was nothing to commit. */
  | { readonly it: 'was committed' }
  /** The server answered COMMIT: it rolled back. */
  | { readonly it: 'was refused' }
  | { readonly it: 'lost COMMIT'; readonly error: unknown; readonly late: boolean }
  | { readonly it: 'was found committed' }
  | { readonly it: 'was found aborted'; readonly failure: Failure }
  | { readonly it: 'stays unknown'; readonly error: Error }
  | { readonly it: 'rolls back'; readonly failure: Failure | undefined }
  | { readonly it: 'is rolled back' };

/** The outcome of a unit that has done nothing yet. */
export function untouched(notRepeated?: string): Outcome {
  return {
    is: 'untouched',
    reached: false,
    answered: false,
    commitKey: undefined,
    abortedBy: undefined,
    partFailed: undefined,
    notRepeated,
  };
}

/** The only way from one outcome to the next. An event that comes too late changes nothing. */
export function moved(outcome: Outcome, event: OutcomeEvent): Outcome {
  switch (event.it) {
    case 'asks for a connection':
      return mayReach(outcome) ? bare(outcome, 'reaching', false) : outcome;
    case 'has a connection':
      return outcome.is === 'reaching' ? bare(outcome, 'open', true) : outcome;
    case 'was answered':
      return answeredWith(outcome, event.commitKey);
    case 'failed':
      return isWorking(outcome) && outcome.is !== 'failed'
        ? { ...courseOf(outcome), is: 'failed', at: phaseOf(outcome), connected: outcome.is === 'open', by: event.by }
        : outcome;
    case 'was mended':
      return outcome.is === 'failed' && outcome.at !== 'commit'
        ? bare(outcome, outcome.connected ? 'open' : 'untouched')
        : outcome;
    case 'starts afresh':
      return isWorking(outcome) && outcome.is !== 'untouched'
        ? { ...courseOf(outcome), is: 'reaching', answered: false, commitKey: undefined }
        : outcome;
    case 'lost a part':
      return outcome.partFailed === undefined ? { ...outcome, partFailed: { cause: event.cause } } : outcome;
    case 'must not repeat':
      return outcome.notRepeated === undefined ? { ...outcome, notRepeated: event.why } : outcome;
    case 'was aborted':
      return aborted(outcome, event.by);
    case 'was ended by hand':
      return isWorking(outcome)
        ? { ...courseOf(outcome), is: 'ended by hand', error: event.error, stored: event.stored }
        : outcome;
    case 'sent COMMIT':
      return outcome.is === 'open' ? bare(outcome, 'committing') : outcome;
    case 'was committed':
      return mayBeCommitted(outcome) ? bare(outcome, 'committed') : outcome;
    case 'was refused':
      return outcome.is === 'committing'
        ? { ...courseOf(outcome), is: 'failed', at: 'commit', connected: false }
        : outcome;
    case 'lost COMMIT':
      return outcome.is === 'committing'
        ? { ...courseOf(outcome), is: 'in doubt', error: event.error, late: event.late }
        : outcome;
    case 'was found committed':
      return outcome.is === 'in doubt' ? bare(outcome, 'committed') : outcome;
    case 'was found aborted':
      return outcome.is === 'in doubt' ? { ...courseOf(outcome), is: 'rolling back', failure: event.failure } : outcome;
    case 'stays unknown':
      return outcome.is === 'in doubt' ? { ...courseOf(outcome), is: 'unknown', error: event.error } : outcome;
    case 'rolls back':
      return rollingBack(outcome, event.failure);
    case 'is rolled back':
      return outcome.is === 'rolling back' ? { ...outcome, is: 'rolled back' } : outcome;
  }
}

/** How far the transaction has come, as a failure is judged by it. */
export function phaseOf(outcome: Outcome): FailurePhase {
  if (outcome.is === 'failed') return outcome.at;
  if (!isWorking(outcome)) return 'commit';
  return outcome.answered ? 'work' : 'acquire';
}

/** COMMIT was sent; whether it is done is not known, or not known yet. */
export function isInDoubt({ is }: Outcome): boolean {
  return is === 'committing' || is === 'in doubt' || is === 'unknown';
}

/** Statements may run, or might have until one failed. */
export function isWorking(outcome: Outcome): boolean {
  const { is } = outcome;
  return is === 'untouched' || is === 'reaching' || is === 'open' || (is === 'failed' && outcome.at !== 'commit');
}

function mayReach(outcome: Outcome): boolean {
  return isWorking(outcome) && outcome.is !== 'open' && !(outcome.is === 'failed' && outcome.connected);
}

/** Nothing can be lost with a transaction that was not used, nor, without waiting for COMMIT, with a read-only one. */
function mayBeCommitted(outcome: Outcome): boolean {
  const { is } = outcome;
  return is === 'committing' || is === 'open' || is === 'untouched' || (is === 'cut short' && outcome.unused);
}

function answeredWith(outcome: Outcome, commitKey: string | undefined): Outcome {
  if (outcome.is !== 'open') return outcome;
  const id = outcome.commitKey ?? commitKey;
  return outcome.answered && id === outcome.commitKey ? outcome : { ...outcome, answered: true, commitKey: id };
}

function cutShort(outcome: Outcome): Outcome {
  return { ...courseOf(outcome), is: 'cut short', unused: outcome.is === 'untouched' };
}

function aborted(outcome: Outcome, by: SessionAbortedError): Outcome {
  if (outcome.abortedBy !== undefined) return outcome;
  if (isWorking(outcome)) return { ...cutShort(outcome), abortedBy: by };
  return outcome.is === 'cut short' || outcome.is === 'rolling back' ? { ...outcome, abortedBy: by } : outcome;
}

/** The first failure counts; work may also give its reason after it has rolled back by itself. */
function rollingBack(outcome: Outcome, failure: Failure | undefined): Outcome {
  if (outcome.is === 'rolling back' || outcome.is === 'rolled back') {
    return outcome.failure === undefined ? { ...outcome, failure } : outcome;
  }
  if (outcome.is === 'ended by hand' && outcome.stored)
    return { ...courseOf(outcome), is: 'unknown', error: outcome.error };
  const isOwners = isWorking(outcome) || ['failed', 'cut short', 'ended by hand'].includes(outcome.is);
  return isOwners ? { ...courseOf(outcome), is: 'rolling back', failure } : outcome;
}

function courseOf({ reached, answered, commitKey, abortedBy, partFailed, notRepeated }: Outcome): Course {
  return { reached, answered, commitKey, abortedBy, partFailed, notRepeated };
}

/** An outcome of which no more is to be said; every unit goes through some, so each is one object. */
function bare<Is extends 'untouched' | 'reaching' | 'open' | 'committing' | 'committed'>(
  { reached: reachedBefore, answered, commitKey, abortedBy, partFailed, notRepeated }: Outcome,
  is: Is,
  reached = reachedBefore,
): Course & { readonly is: Is } {
  return { is, reached, answered, commitKey, abortedBy, partFailed, notRepeated };
}
