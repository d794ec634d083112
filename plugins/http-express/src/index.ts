export type { Answer, RowFormat, RowOptions, RowSource } from '@keelson/http';
export {
  currentSession,
  errorCodes,
  type HttpOptions,
  httpOptions,
  type SendRowsOptions,
  sendRows,
} from '@keelson/http-server';
export { default } from './plugin.js';
export { repeatable } from './repeatable.js';
