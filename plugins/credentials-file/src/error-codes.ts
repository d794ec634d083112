/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = ['CREDENTIALS_FILE_UNREADABLE'] as const;
