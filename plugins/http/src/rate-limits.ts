export { RateLimitKey } from './rate-limits/rate-limit-key.js';
export {
  type LimitedRequest,
  type RateLimitOutcome,
  RateLimits,
  type RateLimitsParts,
} from './rate-limits/rate-limits.js';
