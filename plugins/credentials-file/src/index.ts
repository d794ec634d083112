export { errorCodes } from './error-codes.js';
export { type FileOptions, fileOptions } from './options.js';
export { default } from './plugin.js';
