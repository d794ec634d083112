export { backoffMs } from './backoff.js';
export { ConflictLane } from './conflict-lane.js';
export { defaultVerdict, saysNothing } from './default-verdict.js';
export {
  type CallPermit,
  type CallPolicy,
  type CallTarget,
  type ConflictPolicy,
  type JudgedFailure,
  RetriedCall,
} from './retried-call.js';
export {
  attemptsExhausted,
  attemptTimeout,
  budgetExhausted,
  bulkheadFull,
  circuitOpen,
  isRetryError,
  type Progress,
  policyStopped,
  RetryError,
  type RetryErrorCode,
  retryErrorCodes,
  waitersFull,
} from './retry-errors.js';
export { type MeasuredTarget, RetryMetrics, type RetryMetricsSource } from './retry-metrics.js';
export { type AttemptLimits, RunningAttempt } from './running-attempt.js';
