export type { Answer, RowFormat, RowOptions, RowSource } from '@keelson/http';
export { errorCodes } from './error-codes.js';
export { type HttpOptions, httpOptions } from './options.js';
export { default } from './plugin.js';
export { repeatable } from './repeatable.js';
export { currentSession } from './request-sessions.js';
export { type SendRowsOptions, sendRows } from './send-rows.js';
