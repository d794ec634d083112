export { RetryError, type RetryErrorCode } from '@keelson/core/retry';
export type { Change } from './changes.js';
export type { BreakerMove, BreakerReport, BreakerState, CircuitBreaker, Outcome, Permit } from './circuit-breaker.js';
export { errorCodes } from './error-codes.js';
export { OpossumRetryPolicy, type OpossumRetryPolicyOptions } from './opossum-retry-policy.js';
export {
  type PolicyOptions,
  type RetryOptions,
  type RetryOptionsInput,
  retryOptionsSchema,
} from './options.js';
export { retryOpossum as default } from './plugin.js';
export { RetryControl } from './retry-control.js';
export type { RetryObserver, TargetCounters, TargetReport } from './target.js';
