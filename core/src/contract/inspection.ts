import type { Facts } from './keelson-error.js';

/** The result of one check of `keelson doctor`. */
export interface Diagnosis {
  /** The subject of the check, in a few words: `clock skew`. */
  readonly name: string;
  readonly status: 'pass' | 'warn' | 'fail';
  /** One sentence with the measured values; no secret. */
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
