/** Every code this package throws or answers with; each has a section in docs/errors.md. */
export const errorCodes = [
  'HTTP_ROUTE_INVALID',
  'HTTP_INPUT_INVALID',
  'HTTP_BODY_NOT_JSON',
  'HTTP_ANSWER_INVALID',
] as const;
