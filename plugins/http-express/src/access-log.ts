import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Logger, LogLevel } from '@keelson/core';
import type { Exchange } from './exchange.js';

/** The status written for a client that went away before it was answered; the number nginx made usual. */
const clientClosedRequest = 499;

/** Writes one line when the answer has left or the client has gone: no value of a user, no query, no body. */
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
