export type { BunyanLogger } from './bunyan-logger.js';
export { createLogger } from './create-logger.js';
export { errorCodes } from './error-codes.js';
export { type LoggerBunyanOptions, loggerBunyanOptions } from './options.js';
export { default } from './plugin.js';
