import { type ServiceToken, serviceToken } from '@keelson/core';
import type { OpenApiDocument } from './open-api.js';
import type { Route } from './route.js';

/** The routes with schemas of a service; bound by the plugin in the slot `http`. */
export interface HttpRoutes {
  /**
   * Mounts `routes` at `path`: a route `/:id` at `/orders` answers `/orders/:id`. The server tries them in their order,
   * together with the handlers of `HttpServer.router`.
   *
   * @throws KeelsonError HTTP_ROUTE_INVALID for an invalid path, and for a route that is mounted already.
   */
  mount(path: string, routes: readonly Route[]): void;
  /** Changes the API description before it is served: servers, security schemes, tags. In the order of the calls. */
  describe(change: (document: OpenApiDocument) => OpenApiDocument): void;
}

export const HttpRoutes: ServiceToken<HttpRoutes> = serviceToken('@keelson/http/HttpRoutes');
