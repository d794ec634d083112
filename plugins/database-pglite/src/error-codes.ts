/** This package throws only the errors of @keelson/database. */
export const errorCodes = [] as const;
