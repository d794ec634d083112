import type { Clock, Deadline } from '@keelson/core';
import { SessionAbortedError } from '../errors/session-errors.js';

export interface Limits {
  /** Of the session, for its error. */
  readonly name: string;
  readonly deadline: Deadline;
  readonly signal?: AbortSignal | undefined;
}

/** Calls `abort` at the deadline, or when the signal aborts, unless the result is called before. */
export function abortInTime(
  { name, deadline, signal }: Limits,
  clock: Clock,
  abort: (by: SessionAbortedError) => void,
): () => void {
  const onSignal = () => abort(new SessionAbortedError({ name, reason: why(deadline) }, signal?.reason));
  const onDeadline = () => abort(new SessionAbortedError({ name, reason: 'deadline' }));
  if (signal?.aborted === true) onSignal();
  else if (deadline.passed) onDeadline();
  else signal?.addEventListener('abort', onSignal, { once: true });
  const remainingMs = deadline.remainingMs();
  const timer = Number.isFinite(remainingMs) ? clock.schedule(remainingMs, onDeadline) : undefined;
  return () => {
    timer?.cancel();
    signal?.removeEventListener('abort', onSignal);
  };
}

/** A timer may fire this much before its time. */
const earlyMs = 2;

/** The signal of an attempt aborts at the deadline too, and may do so before the timer here. */
function why(deadline: Deadline): 'deadline' | 'signal' {
  return deadline.remainingMs() <= earlyMs ? 'deadline' : 'signal';
}
