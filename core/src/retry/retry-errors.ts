import { type Facts, isKeelsonError, KeelsonError } from '../contract/keelson-error.js';

/** The codes of the errors that end a call; a code means the same in every retry policy. */
export const retryErrorCodes = [
  'RETRY_ATTEMPTS_EXHAUSTED',
  'RETRY_BUDGET_EXHAUSTED',
  'RETRY_DEADLINE_EXCEEDED',
  'RETRY_ATTEMPT_TIMEOUT',
  'RETRY_STOPPED',
  'CIRCUIT_OPEN',
  'CIRCUIT_WAITERS_FULL',
  'BULKHEAD_FULL',
] as const;

export type RetryErrorCode = (typeof retryErrorCodes)[number];

/** How far a call had come. */
export interface Progress {
  /** `ExecuteOptions.name`. */
  readonly operation: string;
  readonly target: string;
  /** Attempts that were sent to the target. */
  readonly attempts: number;
  readonly elapsedMs: number;
}

/** A call that was given up, or refused before its first attempt. `cause` is the last failure. */
export class RetryError extends KeelsonError {}

interface Story {
  readonly code: RetryErrorCode;
  readonly why: string;
  readonly hint: string;
  readonly retryAfterMs: number;
  readonly facts?: Facts;
  readonly cause?: unknown;
}

/** When the caller of a refused request may come back, where nothing better is known. */
const usualRetryAfterMs = 1_000;

export function attemptsExhausted(progress: Progress, cause: unknown): RetryError {
  return tell(progress, {
    code: 'RETRY_ATTEMPTS_EXHAUSTED',
    why: 'the policy allows no further attempt',
    hint: 'Fix the cause; raise maxAttempts (after conflicts: conflicts.maxAttempts) only when one more attempt would have helped.',
    retryAfterMs: usualRetryAfterMs,
    cause,
  });
}

export function budgetExhausted(progress: Progress, cause: unknown): RetryError {
  return tell(progress, {
    code: 'RETRY_BUDGET_EXHAUSTED',
    why: 'too many calls to the target are being retried already',
    hint: 'Fix the cause. The budget keeps retries from adding load to a failing target; it refills by itself.',
    retryAfterMs: usualRetryAfterMs,
    cause,
  });
}

/** `where` says what the time ran out in: `the attempt`, `the wait for ...`. */
export function deadlineExceeded(progress: Progress, where: string, retryAfterMs: number, cause: unknown): RetryError {
  return tell(progress, {
    code: 'RETRY_DEADLINE_EXCEEDED',
    why: `its deadline does not leave time for ${where}`,
    hint: 'Find out from the cause why the target was slow; raise the deadline only if the caller can wait that long.',
    retryAfterMs: Math.max(retryAfterMs, usualRetryAfterMs),
    facts: { where },
    cause,
  });
}

/** The reason of an attempt's signal when its own time is over. */
export function attemptTimeout(progress: Progress, timeoutMs: number): RetryError {
  return tell(progress, {
    code: 'RETRY_ATTEMPT_TIMEOUT',
    why: `attempt ${progress.attempts} had not ended after ${timeoutMs} ms`,
    hint: 'Find out whether the target is slow or the work ignores the signal of its attempt.',
    retryAfterMs: usualRetryAfterMs,
    facts: { timeoutMs },
  });
}

export function circuitOpen(progress: Progress, retryAfterMs: number, cause: unknown): RetryError {
  const held = retryAfterMs === Number.POSITIVE_INFINITY;
  return tell(progress, {
    code: 'CIRCUIT_OPEN',
    why: held ? 'an operator holds its breaker open' : `"${progress.target}" is down and its breaker open`,
    hint: held
      ? 'Release the breaker when the target may be used again.'
      : 'Fix the cause; the breaker closes by itself.',
    retryAfterMs: held ? usualRetryAfterMs : Math.max(1, retryAfterMs),
    facts: { held },
    cause,
  });
}

export function waitersFull(progress: Progress, maxWaiters: number, retryAfterMs: number, cause: unknown): RetryError {
  return tell(progress, {
    code: 'CIRCUIT_WAITERS_FULL',
    why: `its breaker is open and ${maxWaiters} calls already wait for the target`,
    hint: 'Fix the cause; set shorter deadlines to keep fewer calls waiting.',
    retryAfterMs: Math.max(retryAfterMs, usualRetryAfterMs),
    facts: { maxWaiters },
    cause,
  });
}

export function bulkheadFull(progress: Progress, limits: { maxConcurrentCalls: number; maxQueuedCalls: number }) {
  return tell(progress, {
    code: 'BULKHEAD_FULL',
    why: `${limits.maxConcurrentCalls} calls are running and ${limits.maxQueuedCalls} are already queued`,
    hint: 'Shed load or add instances before raising bulkhead.maxConcurrentCalls.',
    retryAfterMs: usualRetryAfterMs,
    facts: { ...limits },
  });
}

export function policyStopped(progress: Progress, cause: unknown): RetryError {
  return tell(progress, {
    code: 'RETRY_STOPPED',
    why: 'the service is stopping',
    hint: 'Repeat the call on another instance; in a plugin, end work in `drain`, before the retry policy stops.',
    retryAfterMs: usualRetryAfterMs,
    cause,
  });
}

/** Returns true for an error that a retry policy made: it proves nothing about the target of an outer call. */
export function isRetryError(error: unknown): error is RetryError {
  return isKeelsonError(error) && (retryErrorCodes as readonly string[]).includes(error.code);
}

function tell(progress: Progress, { code, why, hint, retryAfterMs, facts, cause }: Story): RetryError {
  const { operation, target, attempts } = progress;
  const elapsedMs = Math.round(progress.elapsedMs);
  const tried =
    attempts === 0 ? 'was refused' : `ended after ${attempts} attempt${attempts === 1 ? '' : 's'} in ${elapsedMs} ms`;
  return new RetryError({
    code,
    message: `${operation} ${tried}: ${why}.`,
    hint,
    facts: { operation, target, attempts, elapsedMs, ...facts },
    cause,
    http: { status: 503, title: 'Service unavailable', retryAfterMs: Math.ceil(retryAfterMs) },
  });
}
