import type { IncomingMessage } from 'node:http';

/** What is known of one request while it is being answered. */
export interface Exchange {
  readonly requestId: string;
  /** On `clock.now()`. */
  readonly startedAt: number;
  /** The route in the words of the service, `/orders/:id`: never what the client wrote. */
  route: string | undefined;
  /** True for a route that answers at any time: its line in the log is for debugging only. */
  probe: boolean;
  /** True when the service has turned the request away unseen. */
  refused: boolean;
  /** What the handler failed with, and the code the client was told. */
  error: unknown;
  code: string | undefined;
}

const exchanges = new WeakMap<IncomingMessage, Exchange>();

export function openExchange(request: IncomingMessage, requestId: string, startedAt: number): Exchange {
  const exchange: Exchange = {
    requestId,
    startedAt,
    route: undefined,
    probe: false,
    refused: false,
    error: undefined,
    code: undefined,
  };
  exchanges.set(request, exchange);
  return exchange;
}

export function exchangeOf(request: IncomingMessage): Exchange {
  const exchange = exchanges.get(request);
  if (exchange === undefined) throw new Error('bug: a request without an exchange');
  return exchange;
}
