import type { RateLimits } from '@keelson/http/rate-limits';
import { exchangeOf } from './exchange.js';
import type { Step } from './express-app.js';

/** Counts requests before their body is read and their session is made. `limits` is undefined until the service is ready. */
export function limitRequests(limits: () => RateLimits | undefined): Step {
  return (request, response, next) => {
    const { method, path, ip } = request;
    const counted = limits()?.count({ request, method, path, address: ip });
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
