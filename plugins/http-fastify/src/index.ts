export type { Answer, RowFormat, RowOptions, RowSource } from '@keelson/http';
export { currentSession, type HttpOptions, httpOptions, type SendRowsOptions, sendRows } from '@keelson/http-server';
export { errorCodes } from './error-codes.js';
export { FastifyServer } from './fastify-server.js';
export { default } from './plugin.js';
