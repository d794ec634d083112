import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock, Logger, LogLevel } from '@keelson/core';
import type { Exchange } from './exchange.js';
import { hasLeft } from './response-front.js';
import { routeOf } from './route-template.js';

/** The status logged for a client that disconnected before its answer, as in nginx. */
const clientClosedRequest = 499;

/** Logs one line when the answer is sent or the client has disconnected, without values of users, query and body. */
export function logAccess(exchange: Exchange, request: IncomingMessage, response: ServerResponse, tools: AccessTools) {
  const { clock, logger } = tools;
  const status = statusOf(response) ?? clientClosedRequest;
  const level = levelOf(exchange, status);
  if (!logger.isEnabled(level)) return;
  const route = routeOf(request) ?? '(no route)';
  const facts: Record<string, unknown> = {
    method: request.method,
    route,
    status,
    durationMs: Math.round((clock.now() - exchange.startedAt) * 10) / 10,
  };
  if (exchange.code !== undefined) facts.code = exchange.code;
  if (!response.writableFinished) facts.cut = true;
  if (level === 'error' && exchange.error !== undefined) facts.error = exchange.error;
  logger[level](`${request.method} ${route} ${status}`, facts);
}

/** Undefined for a client that has disconnected before its answer. */
export function statusOf(response: ServerResponse): number | undefined {
  return response.writableFinished || hasLeft(response) ? response.statusCode : undefined;
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
