import type { IncomingMessage } from 'node:http';
import type { RateLimits } from '@keelson/http/rate-limits';
import { exchangeOf } from './exchange.js';
import type { Step } from './step.js';

export interface LimitParts {
  /** Undefined until the service is ready. */
  readonly limits: () => RateLimits | undefined;
  readonly addressOf: (request: IncomingMessage) => string | undefined;
}

/** Counts requests before their body is read and their session is made. */
export function limitRequests({ limits, addressOf }: LimitParts): Step {
  return (request, response, next) => {
    const { method = '', url = '/' } = request;
    const [path = '/'] = url.split('?', 1);
    const counted = limits()?.count({ request, method, path, address: addressOf(request) });
    if (counted === undefined) return next();
    return counted.then(({ headers, refusal }) => {
      // The client has left meanwhile.
      if (response.destroyed) return;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      if (refusal !== undefined) exchangeOf(request).refused = true;
      next(refusal);
    });
  };
}
