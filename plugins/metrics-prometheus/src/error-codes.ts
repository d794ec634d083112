/** This plugin throws no errors of its own. */
export const errorCodes = [] as const;
