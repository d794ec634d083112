import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ServiceToken, serviceToken } from '../token.js';

/**
 * Answers a request or passes it on. Written as a method, so that a handler of a richer request and response type
 * (an Express router) is one too.
 */
export type HttpHandler = {
  handle(request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): unknown;
}['handle'];

export interface RouteOptions {
  /**
   * `request` (default): the route gets a database session for each request and is refused while the service is not
   * ready. `none`: neither; for probes and metrics, which must answer at any time.
   */
  readonly session?: 'request' | 'none';
  /**
   * For operators and machines, not for users of the service: on the admin port, when the configuration has one, and
   * nowhere else. Such a route has neither session nor admission. Default false.
   */
  readonly admin?: boolean;
}

export interface HttpServer {
  /** Its address without a path: `http://127.0.0.1:3000`. Undefined until the server listens. */
  readonly url: string | undefined;
  /** The same of the admin port; undefined without one. */
  readonly adminUrl?: string | undefined;
  /**
   * Mounts `handler` at `path` and below; inside, `request.url` is what follows `path`. Routes are tried in the order in
   * which they were mounted, those with `session: 'none'` first, so that no other route can hide a probe.
   */
  router(path: string, handler: HttpHandler, options?: RouteOptions): void;
}

export const HttpServer: ServiceToken<HttpServer> = serviceToken('@keelson/core/HttpServer');
