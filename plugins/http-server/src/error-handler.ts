import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorKindOf, isKeelsonError, type Logger, type Telemetry, withholdValues } from '@keelson/core';
import { translate } from '@keelson/database/contract';
import { exchangeOf } from './exchange.js';
import { valuesGivenIn } from './given-values.js';
import { takeBack } from './held-response.js';
import { failureOf, type ProblemSettings, problemOf } from './problem.js';
import { sendProblem } from './send-problem.js';

export interface ErrorTools {
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly problems: ProblemSettings;
}

export type HandleError = (error: unknown, request: IncomingMessage, response: ServerResponse) => void;

/** Turns the error of a handler into an answer, and reports it once when it is a fault of the service. */
export function createErrorHandler(tools: ErrorTools): HandleError {
  return (thrown, request, response) => {
    if (isGone(request, response) || isWithoutReader(thrown, response)) return noteUnheard(thrown, request, tools);
    const error = reportable(thrown, request);
    const exchange = exchangeOf(request);
    if (response.destroyed) return breakOff(error, request, response, tools);
    if (response.headersSent && !takeBack(response)) return breakOff(error, request, response, tools);
    const problem = problemOf(failureOf(error), tools.problems, {
      requestId: exchange.requestId,
      accept: request.headers.accept,
    });
    exchange.error = error;
    exchange.code = problem.code;
    if (problem.status >= 500 && !exchange.refused) capture(error, request, tools);
    sendProblem(response, problem);
  };
}

/**
 * Whether the client hung up in the middle of its request or of its answer. A stream that this process has
 * destroyed because of an error has that error.
 */
function isGone(request: IncomingMessage, response: ServerResponse): boolean {
  const { errored } = request as { errored?: NodeJS.ErrnoException | null };
  if (response.errored != null || (errored != null && errored.code !== 'ECONNRESET')) return false;
  return (request.destroyed && !request.complete) || (response.destroyed && !response.writableFinished);
}

/** Another answer, such as the problem of a failed commit, was sent while the handler waited to write more of its own. */
function isWithoutReader(thrown: unknown, response: ServerResponse): boolean {
  if (!response.destroyed) return false;
  return isKeelsonError(thrown, 'HTTP_CLIENT_GONE') || (response.writableFinished && isPrematureClose(thrown));
}

/** What `pipeline` says of a response that was ended by somebody else. */
function isPrematureClose(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** Logs the error of a handler whose client has disconnected: usually not a fault of the service or its database. */
function noteUnheard(thrown: unknown, request: IncomingMessage, { logger }: ErrorTools): void {
  const { route } = exchangeOf(request);
  const gone = isKeelsonError(thrown, 'HTTP_CLIENT_GONE') || thrown === request.errored;
  logger.debug('handler failed after its client disconnected', {
    route,
    error: gone ? thrown : reportable(thrown, request),
  });
}

/** An error of MikroORM has SQL and values, and no status for the answer; that of a handler may quote its request. */
function reportable(thrown: unknown, request: IncomingMessage): unknown {
  return withholdValues(translate(thrown), () => valuesGivenIn(request));
}

/** Cuts an answer that is partly sent: the client must not take the part for the whole. */
function breakOff(error: unknown, request: IncomingMessage, response: ServerResponse, tools: ErrorTools): void {
  const exchange = exchangeOf(request);
  const { route } = exchange;
  exchange.cutBy = errorKindOf(error);
  tools.logger.error('handler failed after its answer started', { method: request.method, route, error });
  capture(error, request, tools);
  if (response.writableEnded) return;
  // To a client of HTTP/1.0 the end of the connection is the end of the answer.
  if (request.httpVersionMinor === 0) request.socket.resetAndDestroy();
  // An answer in line behind another one has its connection later.
  else response.once('socket', socket => socket.destroy()).destroy();
}

function capture(error: unknown, request: IncomingMessage, { telemetry }: ErrorTools): void {
  telemetry.captureError(error, {
    operation: 'http.request',
    facts: { method: request.method, route: exchangeOf(request).route },
  });
}
