import type { HttpHandler } from '@keelson/core';
import { exchangeOf } from './exchange.js';
import { forgetRoute, mountAt, noteRoute, watchRoutes } from './route-template.js';
import type { Step } from './step.js';

/** Returns the step that runs `handler` at `path`, and records `path` as the start of the route template of the request. */
export function mountedHandler(path: string, handler: HttpHandler): Step {
  const mount = mountAt(path);
  // An Express application has requests with a prototype of its own.
  if ('request' in handler && typeof handler.request === 'object' && handler.request !== null)
    watchRoutes(handler.request);
  return (request, response, next) => {
    noteRoute(request, mount);
    return handler(request, response, error => {
      if (error === undefined || error === null) forgetRoute(request);
      next(error);
    });
  };
}

/** The same for a route that answers at any time. */
export function mountedProbe(path: string, handler: HttpHandler): Step {
  const handle = mountedHandler(path, handler);
  return (request, response, next) => {
    const exchange = exchangeOf(request);
    exchange.probe = true;
    return handle(request, response, error => {
      exchange.probe = false;
      next(error);
    });
  };
}
