/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = [
  'RETRY_ATTEMPTS_EXHAUSTED',
  'RETRY_DEADLINE_EXCEEDED',
  'RETRY_ATTEMPT_TIMEOUT',
  'RETRY_STOPPED',
  'RETRY_OPTIONS_INVALID',
  'CIRCUIT_OPEN',
] as const;
