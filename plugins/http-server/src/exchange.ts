import type { IncomingMessage } from 'node:http';
import type { OpenSpan } from '@keelson/core';

/** The state of one request while it is answered. */
export interface Exchange {
  readonly requestId: string;
  /** On `clock.now()`. */
  readonly startedAt: number;
  /** Ends with the answer; undefined for silent telemetry and for a probe. */
  span: OpenSpan | undefined;
  /** The route as mounted, `/orders/:id`: never the path of the client. */
  route: string | undefined;
  /** True for a route that always answers: its log line has level `debug`. */
  probe: boolean;
  /** True when the service has refused the request before a handler. */
  refused: boolean;
  /** The error of the handler, and the code in the answer. */
  error: unknown;
  code: string | undefined;
  /** The kind of the error that has cut an answer in its middle. */
  cutBy: string | undefined;
}

const key = Symbol('exchange');
type WithExchange = IncomingMessage & { [key]?: Exchange };

export function openExchange(request: IncomingMessage, requestId: string, startedAt: number): Exchange {
  const exchange: Exchange = {
    requestId,
    startedAt,
    span: undefined,
    route: undefined,
    probe: false,
    refused: false,
    error: undefined,
    code: undefined,
    cutBy: undefined,
  };
  (request as WithExchange)[key] = exchange;
  return exchange;
}

export function exchangeOf(request: IncomingMessage): Exchange {
  const exchange = (request as WithExchange)[key];
  if (exchange === undefined) throw new Error('bug: a request without an exchange');
  return exchange;
}
