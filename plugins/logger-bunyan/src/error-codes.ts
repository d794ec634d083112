/** This plugin throws nothing of its own. */
export const errorCodes = [] as const;
