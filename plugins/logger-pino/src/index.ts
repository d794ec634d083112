export { createLogger } from './create-logger.js';
export { errorCodes } from './error-codes.js';
export { type LoggerPinoOptions, loggerPinoOptions } from './options.js';
export type { PinoLogger } from './pino-logger.js';
export { default } from './plugin.js';
