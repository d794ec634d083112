import { isKeelsonError } from '../contract/keelson-error.js';
import { describeError } from './describe-error.js';

/** Summarizes a thrown value: no stack, no causes, no secret, no statement. */
export interface ErrorSummary {
  /** Of a KeelsonError, the system (`ECONNREFUSED`) or PostgreSQL (SQLSTATE). */
  readonly code?: string | number;
  /** One line. */
  readonly message: string;
}

/** Sums up any thrown value for an operator. Never throws. */
export function summarizeError(thrown: unknown): ErrorSummary {
  const { name, code, message } = describeError(thrown);
  const [line = ''] = message.split('\n');
  // What others throw with a SQLSTATE may quote the statement; the code says it all.
  const mayQuote = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !isKeelsonError(thrown);
  return { ...(code !== undefined && { code }), message: mayQuote || line === '' ? name : line };
}
