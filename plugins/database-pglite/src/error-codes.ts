/** Every code this package adds to those of @keelson/database; each has a section in docs/errors.md. */
export const errorCodes = [
  'PGLITE_FILES_MISSING',
  'PGLITE_FOLDER_IN_USE',
  'PGLITE_FOLDER_UNUSABLE',
  'PGLITE_MEMORY_LOST',
] as const;

export type PgliteErrorCode = (typeof errorCodes)[number];
