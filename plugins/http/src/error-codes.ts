/** Every code this package throws or answers with; each has a section in docs/errors.md. */
export const errorCodes = [
  'HTTP_ROUTE_INVALID',
  'HTTP_INPUT_INVALID',
  'HTTP_BODY_NOT_JSON',
  'HTTP_ANSWER_INVALID',
  'HTTP_IDEMPOTENCY_KEY_INVALID',
  'HTTP_IDEMPOTENCY_KEY_REUSED',
  'HTTP_IDEMPOTENCY_KEY_IN_USE',
  'HTTP_IDEMPOTENCY_TABLE_MISSING',
  'HTTP_RATE_LIMITED',
  'HTTP_RATE_LIMITS_INVALID',
  'HTTP_RATE_LIMIT_TABLE',
] as const;
