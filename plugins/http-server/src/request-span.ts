import type { IncomingMessage, ServerResponse } from 'node:http';
import { type OpenSpan, runWithContext, type Telemetry } from '@keelson/core';
import { type Exchange, exchangeOf } from './exchange.js';
import { hasLeft } from './response-front.js';
import { routeOf } from './route-template.js';
import type { Step } from './step.js';

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'QUERY']);
/** For methods of clients that may write anything there. */
const otherMethod = '_OTHER';

/**
 * Makes a step that runs what follows in the server span of its request, which ends with the answer. With `continues`, the
 * trace of the client goes on. Undefined for silent telemetry.
 */
export function traceRequests(telemetry: Telemetry, continues: boolean): Step | undefined {
  if (!telemetry.enabled) return undefined;
  return (request, _response, next) => {
    const method = methodOf(request);
    const span = telemetry.startSpan({
      name: method,
      operation: 'http.server',
      kind: 'server',
      attributes: { 'http.request.method': method, 'network.protocol.version': request.httpVersion },
      continues: continues ? request.headers : {},
    });
    exchangeOf(request).span = span;
    const { traceId } = span;
    span.run(() => (traceId === undefined ? next() : runWithContext({ traceId }, next)));
  };
}

/** Ends the span of a request with its answer. `ok` is certain then: what the answer reports is committed. */
export function endSpan(span: OpenSpan, exchange: Exchange, request: IncomingMessage, response: ServerResponse): void {
  if (span.isRecording) describe(span, exchange, request, response);
  span.end();
}

function describe(span: OpenSpan, exchange: Exchange, request: IncomingMessage, response: ServerResponse): void {
  const { statusCode, writableFinished } = response;
  const route = routeOf(request);
  if (route !== undefined) {
    span.setName(`${methodOf(request)} ${route}`);
    span.setAttribute('http.route', route);
  }
  span.setAttribute('keelson.request.id', exchange.requestId);
  if (hasLeft(response)) span.setAttribute('http.response.status_code', statusCode);
  if (exchange.code !== undefined) span.setAttribute('keelson.problem.code', exchange.code);
  if (!writableFinished) span.setStatus('error', exchange.cutBy ?? exchange.code ?? 'HTTP_CLIENT_GONE');
  else if (statusCode >= 500) span.setStatus('error', exchange.code ?? String(statusCode));
  else if (statusCode < 400) span.setStatus('ok');
}

function methodOf({ method = otherMethod }: IncomingMessage): string {
  return knownMethods.has(method) ? method : otherMethod;
}
