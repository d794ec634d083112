export { RetryError, type RetryErrorCode } from '@keelson/core/retry';
export {
  CockatielRetryPolicy,
  type CockatielRetryPolicyOptions,
  type MoveListener,
} from './cockatiel-retry-policy.js';
export { errorCodes } from './error-codes.js';
export { type PolicyOptions, type RetryOptions, type RetryOptionsInput, retryOptionsSchema } from './options.js';
export { retryCockatiel as default } from './plugin.js';
