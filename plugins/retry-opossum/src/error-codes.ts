import { retryErrorCodes } from '@keelson/core/retry';

/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = [...retryErrorCodes, 'RETRY_OPTIONS_INVALID'] as const;
