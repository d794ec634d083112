import type { IncomingMessage, ServerResponse } from 'node:http';
import { isKeelsonError, type Logger, type Telemetry } from '@keelson/core';
import { translate } from '@keelson/database/contract';
import { exchangeOf } from './exchange.js';
import { takeBack } from './held-response.js';
import { failureOf, problemOf } from './problem.js';
import { sendProblem } from './send-problem.js';

export interface ErrorTools {
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

export type HandleError = (error: unknown, request: IncomingMessage, response: ServerResponse) => void;

/** Turns whatever a handler failed with into an answer, and reports it once when it is a fault of the service. */
export function createErrorHandler(tools: ErrorTools): HandleError {
  return (thrown, request, response) => {
    if (isGone(request, response)) return noteUnheard(thrown, request, tools);
    // What MikroORM throws in a handler holds SQL and values, and says nothing about the answer that is due.
    const error = translate(thrown);
    const exchange = exchangeOf(request);
    if (response.destroyed) return breakOff(error, request, response, tools);
    if (response.headersSent && !takeBack(response)) return breakOff(error, request, response, tools);
    const problem = problemOf(failureOf(error), exchange.requestId);
    exchange.error = error;
    exchange.code = problem.code;
    if (problem.status >= 500 && !exchange.refused) capture(error, request, tools);
    sendProblem(response, problem);
  };
}

/**
 * The client hung up in the middle of its request, or before its answer was whole. A stream that this process has
 * destroyed because of an error says so.
 */
function isGone(request: IncomingMessage, response: ServerResponse): boolean {
  const { errored } = request as { errored?: NodeJS.ErrnoException | null };
  if (response.errored != null || (errored != null && errored.code !== 'ECONNRESET')) return false;
  return (request.destroyed && !request.complete) || (response.destroyed && !response.writableFinished);
}

/** The client has gone, and most often this is why the handler failed: no fault of the service, nor of its database. */
function noteUnheard(thrown: unknown, request: IncomingMessage, { logger }: ErrorTools): void {
  const { route } = exchangeOf(request);
  const gone = isKeelsonError(thrown, 'HTTP_CLIENT_GONE') || thrown === request.errored;
  logger.debug('A handler failed after its client had gone', { route, error: gone ? thrown : translate(thrown) });
}

/** A part of the answer has left: the client must see it cut rather than take it for the whole. */
function breakOff(error: unknown, request: IncomingMessage, response: ServerResponse, tools: ErrorTools): void {
  const { route } = exchangeOf(request);
  tools.logger.error('A handler failed after its answer had begun', { method: request.method, route, error });
  capture(error, request, tools);
  if (!response.writableEnded) response.destroy();
}

function capture(error: unknown, request: IncomingMessage, { telemetry }: ErrorTools): void {
  telemetry.captureError(error, {
    operation: 'http.request',
    facts: { method: request.method, route: exchangeOf(request).route },
  });
}
