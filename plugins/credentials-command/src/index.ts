export { errorCodes } from './error-codes.js';
export { type CommandOptions, commandOptions } from './options.js';
export { default } from './plugin.js';
