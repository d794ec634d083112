/** Every code this package throws; each has a section in docs/errors.md. */
export const errorCodes = ['CREDENTIALS_COMMAND_FAILED'] as const;
