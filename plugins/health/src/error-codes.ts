/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = ['HEALTH_CHECK_INVALID', 'HEALTH_CHECK_DUPLICATE'] as const;
