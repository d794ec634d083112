import type { Facts } from './keelson-error.js';

/** What `keelson doctor` found out about one thing. */
export interface Diagnosis {
  /** What was looked at, in a few words: `clock skew`. */
  readonly name: string;
  readonly status: 'pass' | 'warn' | 'fail';
  /** One sentence with what was measured; no secret. */
  readonly output: string;
  /** What to do; left out for `pass`. */
  readonly hint?: string;
}

/** The report of a running plugin for the operator. Never a secret, SQL text or a user's value. */
export interface Inspection {
  /** Its state in names, numbers and times; errors as `summarizeError` gives them. */
  readonly facts: Facts;
  /** Findings that `keelson doctor` prints for the operator. Default: none. */
  readonly findings?: readonly Diagnosis[];
}
