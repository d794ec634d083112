import type { FailureVerdict } from '@keelson/core';
import { AmbiguousCommitError } from '../errors/ambiguous-commit-error.js';
import { SessionAbortedError } from '../errors/session-errors.js';
import type { CommitProofName } from '../proof/choices.js';
import type { Outcome } from '../transaction/outcome.js';
import type { DatabaseSession } from './database-session.js';

/** The state of a session, as its owner sees it: open until the owner is notified of the end. */
export function stateOf({ is }: Outcome): DatabaseSession['state'] {
  if (is === 'committed' || is === 'unknown') return is;
  return is === 'rolling back' || is === 'rolled back' ? 'rolled back' : 'open';
}

/** May the unit run again, and is the server well? Only what is certain to have left nothing behind may. */
export function verdictOf(outcome: Outcome): FailureVerdict {
  if (outcome.is === 'unknown')
    return { retry: false, availability: outcome.error instanceof AmbiguousCommitError ? 'down' : 'up' };
  const isOver = outcome.is === 'rolling back' || outcome.is === 'rolled back';
  if (!isOver || outcome.failure === undefined) return { retry: false, availability: 'unknown' };
  const { verdict } = outcome.failure;
  return outcome.notRepeated === undefined ? verdict : { ...verdict, retry: false };
}

/** Which callbacks run when a session ends; none when it is not known what became of it. */
export function callbacksOf(outcome: Outcome): 'onCommit' | 'onRollback' | undefined {
  const state = stateOf(outcome);
  if (state === 'committed') return 'onCommit';
  return state === 'rolled back' ? 'onRollback' : undefined;
}

/** How the wait for a unit ended. */
export interface End {
  readonly name: string;
  readonly sessionId: string;
  /** With what the retry policy gave up. */
  readonly error: unknown;
  /** Why it gave up while the unit still ran. */
  readonly reason: 'deadline' | 'signal';
  readonly proof: CommitProofName;
}

/** What the caller of a unit gets when it is not committed, whatever the session still does to end itself. */
export function errorOf(outcome: Outcome, { name, sessionId, error, reason, proof }: End): unknown {
  switch (outcome.is) {
    case 'committed':
      return error;
    case 'unknown':
    case 'ended by hand':
      return outcome.error;
    case 'rolled back':
      return outcome.failure?.endedBy ?? error;
    case 'rolling back':
      return outcome.failure === undefined ? error : outcome.failure.error;
    case 'committing':
    case 'in doubt':
      return new AmbiguousCommitError({ name, sessionId, why: unansweredFor[reason], proof }, error);
    default:
      return new SessionAbortedError({ name, reason }, error);
  }
}

const unansweredFor = {
  deadline: 'the deadline came before the answer',
  signal: 'its caller did not wait for the answer',
};
