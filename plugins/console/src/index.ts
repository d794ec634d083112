export { errorCodes } from './error-codes.js';
export { type ConsoleOptions, consoleOptions } from './options.js';
export { default } from './plugin.js';
