import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Logger, LogLevel } from '@keelson/core';
import type { Exchange } from './exchange.js';

/** The status logged for a client that disconnected before its answer, as in nginx. */
const clientClosedRequest = 499;

/** Logs one line when the answer is sent or the client has disconnected, without values of users, query and body. */
export function logAccess(exchange: Exchange, request: IncomingMessage, response: ServerResponse, tools: AccessTools) {
  const { clock, logger } = tools;
  const status = response.writableFinished || response.headersSent ? response.statusCode : clientClosedRequest;
  const level = levelOf(exchange, status);
  if (!logger.isEnabled(level)) return;
  const route = exchange.route ?? '(no route)';
  logger[level](`${request.method} ${route} ${status}`, {
    method: request.method,
    route,
    status,
    durationMs: Math.round((clock.now() - exchange.startedAt) * 10) / 10,
    ...(exchange.code === undefined ? {} : { code: exchange.code }),
    ...(response.writableFinished ? {} : { cut: true }),
    ...(level === 'error' && exchange.error !== undefined ? { error: exchange.error } : {}),
  });
}

export interface AccessTools {
  readonly clock: Clock;
  readonly logger: Logger;
}

function levelOf(exchange: Exchange, status: number): LogLevel {
  if (exchange.probe) return 'debug';
  if (status >= 500 && !exchange.refused) return 'error';
  return status >= 400 ? 'warn' : 'info';
}
