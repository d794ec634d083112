import { retryErrorCodes } from '@keelson/core/retry';

/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = [...retryErrorCodes, 'RETRY_OPTIONS_INVALID', 'RETRY_TARGET_UNKNOWN'] as const;
