import type { IncomingMessage } from 'node:http';
import { type ServiceToken, serviceToken } from '@keelson/core';

/**
 * Says whose request it is, for the rate limits of the configuration that name it: `by: tenant`. Bound any number of times,
 * by any plugin, in `register`: `bind(RateLimitKey).toConstantValue({ name: 'tenant', of: tenantOf })`.
 */
export interface RateLimitKey {
  /** Small letters, digits and hyphens. */
  readonly name: string;
  /**
   * Called for each request that a limit counts, before its body is read and before the handlers of the service. Undefined:
   * the request counts for its address. What it throws is the answer.
   */
  of(request: IncomingMessage): string | undefined;
}

export const RateLimitKey: ServiceToken<RateLimitKey> = serviceToken('@keelson/http/RateLimitKey');
