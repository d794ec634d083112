/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = ['HTTP_CLIENT_STATUS', 'HTTP_CLIENT_PATH_INVALID'] as const;
