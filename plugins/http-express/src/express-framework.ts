import { parse as parseQuery } from 'node:querystring';
import type { HttpHandler } from '@keelson/core';
import type { Route } from '@keelson/http';
import {
  type Framework,
  type FrameworkParts,
  type FrameworkRoutes,
  inTurn,
  type Mounts,
  mountedHandler,
  routeHandler,
  watchRoutes,
  withoutError,
} from '@keelson/http-server';
import express, { type ErrorRequestHandler, type Response, Router } from 'express';
import { sendPrepared } from './answer-json.js';

/** What a server takes from Express. */
export function expressFramework({ options, handleError }: FrameworkParts): Framework {
  const { trustProxy } = options;
  return {
    mounts: expressMounts,
    routes: expressRoutes,
    listener(steps) {
      const app = express();
      watchRoutes(app.request);
      app.disable('x-powered-by');
      app.set('trust proxy', trustProxy);
      // The simple parser of Express drops all but the first 1000 pairs; the length of a URL is limited.
      app.set('query parser', (query: string) => parseQuery(query, '&', '=', { maxKeys: 0 }));
      // Without this, Express would show stacks of errors that pass our error handler.
      app.set('env', 'production');
      // One layer for all: each layer of a router costs more than most of these steps.
      const run = inTurn(steps);
      app.use((request, response, next) => void run(request, response, next));
      const onError: ErrorRequestHandler = (error, request, response, _next) => handleError(error, request, response);
      app.use(onError);
      return (request, response) => {
        // What comes past all layers is an error: of the handler above, a second one of a request, or one like `0`.
        const last = (error: unknown) => handleError(error || new Error(withoutError), request, response);
        Reflect.apply(app, undefined, [request, response, last]);
      };
    },
  };
}

function expressMounts(): Mounts {
  const router = Router();
  return {
    handle: (request, response, next) => Reflect.apply(router, undefined, [request, response, next]),
    use: (path, handler) => void router.use(path, (request, response, next) => handler(request, response, next)),
  };
}

function expressRoutes(): FrameworkRoutes {
  const mounts = expressMounts();
  const use = (path: string, handler: HttpHandler) => mounts.use(path, mountedHandler(path, handler));
  return {
    handle: mounts.handle,
    use,
    mount: (path, routes, { checks }) => use(path, expressRouter(routes, checks)),
  };
}

/** The routes as Express has them. */
function expressRouter(routes: readonly Route[], checks: boolean): Router {
  const router = Router();
  for (const route of routes) {
    const answer = routeHandler<Response>(route, { checks, send: sendPrepared });
    router[route.method](route.path, (request, response) => {
      const { params, query, body } = request;
      return answer({ params, query, body, request, response, target: response });
    });
  }
  return router;
}
