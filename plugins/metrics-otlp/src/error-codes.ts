/** This plugin throws no errors of its own: METRICS_INSTRUMENT_DIFFERENT is of @keelson/core. */
export const errorCodes = [] as const;
