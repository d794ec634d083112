/** Every code this package throws or answers with; each has a section in docs/errors.md. */
export const errorCodes = ['HTTP_EXPRESS_ROUTER'] as const;
