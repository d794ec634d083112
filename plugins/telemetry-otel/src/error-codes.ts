/** This plugin throws no errors of its own: its options are checked before it starts. */
export const errorCodes = [] as const;
