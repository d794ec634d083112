import { isKeelsonError } from '../contract/keelson-error.js';
import type { FailureVerdict } from '../contract/slots/retry-policy.js';
import { isRetryError } from './retry-errors.js';

/** The verdict that allows no further attempt and says nothing about the target. */
export const saysNothing: FailureVerdict = { retry: false, availability: 'unknown' };

/** The verdict on a failure that its caller does not judge. */
export function defaultVerdict(error: unknown, idempotent: boolean): FailureVerdict {
  return isRefusal(error) ? saysNothing : { retry: idempotent, availability: 'down' };
}

/** A refusal of ours or of an inner policy, or a mistake of the caller: neither says anything of the target. */
function isRefusal(error: unknown): boolean {
  if (!isKeelsonError(error)) return false;
  const status = error.http?.status ?? 500;
  return status < 500 || (isRetryError(error) && error.code !== 'RETRY_ATTEMPT_TIMEOUT');
}
