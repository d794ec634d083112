import type { Deadline } from '../deadline.js';
import { type ServiceToken, serviceToken } from '../token.js';

/** The meaning of a failure, judged by code that knows the target. */
export interface FailureVerdict {
  /** May the work be run again? Only true when the failed attempt is known to have left nothing behind. */
  readonly retry: boolean;
  /**
   * What it proves about the target: `down` counts against the breaker, `up` is proof of health (a unique violation
   * comes from a database that is well), `unknown` counts neither way (a cancelled call, a refusal of our own).
   */
  readonly availability: 'down' | 'up' | 'unknown';
  /**
   * The attempt lost against another call and was undone (a serialization failure, a deadlock). The target is well, so a
   * retry costs no retry budget and has a limit of its own. Calls that met a conflict take turns.
   */
  readonly conflict?: boolean;
  /** The target asked for at least this pause. */
  readonly retryAfterMs?: number;
}

export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** Aborts when this attempt's time is over or the caller gave up. */
  readonly signal: AbortSignal;
  /** Time left for the whole call: the caller's deadline, or the policy's own. */
  readonly deadline: Deadline;
  /**
   * Reports that the target has answered before the work ends, which releases waiting calls. May be called any number of
   * times; the outcome of the attempt is judged as well.
   */
  reportHealthy(): void;
}

export interface ExecuteOptions {
  /** Name of the work, low in cardinality: `database.session`. The part before the first dot is the target. */
  readonly name: string;
  /** Whose health the breaker judges. Default: `name` up to the first dot. */
  readonly target?: string;
  /**
   * May the work run more than once? Declared by the caller, never guessed: with `false` it runs once, whatever the
   * verdict on its failure says.
   */
  readonly idempotent: boolean;
  /** The whole call ends by then, waits included. Default: the policy's own. */
  readonly deadline?: Deadline;
  /**
   * Longest single attempt, in milliseconds. Default: the policy's own. `Infinity`: for work whose duration
   * says nothing about the target; only the deadline ends the attempt, and it never counts as slow.
   */
  readonly attemptTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /**
   * Judges the error of the work. Default: retry when idempotent, availability `down`. An error of a retry policy (but
   * `RETRY_ATTEMPT_TIMEOUT`) and a `KeelsonError` with an HTTP status below 500 have another default: no retry, `unknown`.
   */
  readonly classify?: (error: unknown) => FailureVerdict;
  /**
   * Called before each further attempt, after the wait has been chosen. A policy may leave out attempts that probe an open
   * breaker.
   */
  readonly onRetry?: (event: { attempt: number; delayMs: number; error: unknown }) => void;
}

/**
 * Runs work until it succeeds, may not be repeated, or its time is over.
 *
 * The error of the last attempt is thrown as it is when it may not be repeated; otherwise a `KeelsonError` says how
 * many attempts were made, how long they took and why they stopped, with the last failure as its cause.
 */
export interface RetryPolicy {
  execute<T>(work: (attempt: Attempt) => Promise<T>, options: ExecuteOptions): Promise<T>;
  /**
   * Rejects with `reason` every call to `target` that waits for a first or a next attempt. Running attempts go on, and
   * later calls are accepted. Left out by a policy that cannot do it: its waits end by their deadlines.
   */
  endWaits?(target: string, reason: unknown): void;
  /**
   * Declares that calls to `target` will come, so that an operator finds it before the first one. Changes nothing else.
   * Left out by a policy without operations.
   */
  declareTarget?(target: string): void;
}

export const RetryPolicy: ServiceToken<RetryPolicy> = serviceToken('@keelson/core/RetryPolicy');
