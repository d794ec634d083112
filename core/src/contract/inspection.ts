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

/** What a running plugin tells an operator of itself. Never a secret, SQL text or a value of a user. */
export interface Inspection {
  /** Its state in names, numbers and times; errors as `summarizeError` gives them. */
  readonly facts: Facts;
  /** What of it an operator should know, told by `keelson doctor`. Default: nothing. */
  readonly findings?: readonly Diagnosis[];
}
