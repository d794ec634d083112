import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import type { HttpHandler } from '@keelson/core';
import type { Middleware as NamedMiddleware, OrderedMiddleware } from '@keelson/http';
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express';
import { corsHandler } from './cors.js';
import type { HandleError } from './error-handler.js';
import { exchangeOf } from './exchange.js';
import { jsonBody, verifyText } from './json-body.js';
import type { HttpOptions } from './options.js';
import { unknownRoute } from './refusals.js';
import { forgetRoute, mountAt, noteRoute, watchRoutes } from './route-template.js';

export type Middleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown;

export interface AppParts {
  /** Runs before everything else. */
  readonly open: Middleware;
  /** Runs what follows in the span of the request; undefined for silent telemetry. Probes come before it. */
  readonly trace: Middleware | undefined;
  /** Admits a request, or passes on the error that refuses it. */
  readonly admit: Middleware;
  /** Refuses requests of callers that send too many; left out where none is limited. */
  readonly limit?: Step;
  /** Gives the request its session. */
  readonly session: Middleware;
  readonly handleError: HandleError;
}

export interface ExpressApp {
  readonly handle: RequestListener;
  mount(path: string, handler: HttpHandler, session: 'request' | 'none'): void;
  /** To be called before the first request is admitted, once the order of the middleware is known. */
  complete(middleware: OrderedMiddleware): void;
}

/** Builds the Express application of the service. */
export function createExpressApp(options: HttpOptions, parts: AppParts): ExpressApp {
  const probes = Router();
  const routes = Router();
  const types = ['application/json', 'application/*+json'];
  const { bodyLimitBytes: limitBytes, bodyMaxDepth: maxDepth } = options;
  const parse = express.json({ limit: limitBytes, type: types, verify: verifyText });
  const body = jsonBody(parse, { limitBytes, maxDepth, types });
  const cors = options.cors === undefined ? [] : [corsHandler(options.cors)];
  const traced = parts.trace === undefined ? [] : [parts.trace];
  const limit = parts.limit === undefined ? [] : [parts.limit];
  // No request comes past `admit` before the rest is there.
  const steps: Step[] = [parts.open, ...cors, probes, ...traced, parts.admit, ...limit];
  return {
    handle: applicationOf(steps, options, parts.handleError),
    mount: (path, handler, session) => {
      if (session === 'none') probes.use(path, probe(path, handler));
      else routes.use(path, route(path, handler));
    },
    complete: ({ early, session, routes: beforeRoutes, late }) => {
      steps.push(...early.map(stepOf), body, parts.session, ...session.map(stepOf));
      steps.push(...beforeRoutes.map(stepOf), routes, ...late.map(stepOf), notFound);
    },
  };
}

function stepOf({ path, handle }: NamedMiddleware): Step {
  return path === undefined ? handle : Router().use(path, (request, response, next) => handle(request, response, next));
}

/** Builds the application of the admin port: its routes answer at any time, without session and body. */
export function createAdminApp(options: HttpOptions, { open, handleError }: Pick<AppParts, 'open' | 'handleError'>) {
  const routes = Router();
  return {
    handle: applicationOf([open, routes, notFound], options, handleError),
    mount: (path: string, handler: HttpHandler): void => void routes.use(path, probe(path, handler)),
  };
}

function applicationOf(steps: readonly Step[], { trustProxy }: HttpOptions, handleError: HandleError): RequestListener {
  const app = express();
  watchRoutes(app.request);
  app.disable('x-powered-by');
  app.set('trust proxy', trustProxy);
  // The simple parser of Express drops all but the first 1000 pairs; the length of a URL is limited.
  app.set('query parser', (query: string) => parseQuery(query, '&', '=', { maxKeys: 0 }));
  // Without this, Express would show stacks of errors that pass our error handler.
  app.set('env', 'production');
  // One layer for all: each layer of a router costs more than most of these steps.
  app.use(inTurn(steps));
  const onError: ErrorRequestHandler = (error, request, response, _next) => handleError(error, request, response);
  app.use(onError);
  return (request, response) => {
    // What comes past all layers is an error: of the handler above, a second one of a request, or one like `0`.
    const last = (error: unknown) => handleError(error || withoutError(), request, response);
    Reflect.apply(app, undefined, [request, response, last]);
  };
}

export type Step = (request: Request, response: Response, next: (error?: unknown) => void) => unknown;

/** Runs the steps one after the other, each when the one before it calls `next`. The first error ends them. */
function inTurn(steps: readonly Step[]): RequestHandler {
  return (request, response, done) => {
    let at = 0;
    const next = (error?: unknown): void => {
      const step = steps[at++];
      if (step === undefined || (error !== undefined && error !== null)) {
        done(error);
        return;
      }
      try {
        const result = step(request, response, next);
        if (result instanceof Promise) result.catch(done);
      } catch (thrown) {
        done(thrown);
      }
    };
    next();
  };
}

function withoutError(): Error {
  return new Error('A handler failed with a value that is no error, such as 0 or false.');
}

const notFound: Step = (_request, _response, next) => next(unknownRoute());

function probe(path: string, handler: HttpHandler): RequestHandler {
  const handle = route(path, handler);
  return (request, response, next) => {
    const exchange = exchangeOf(request);
    exchange.probe = true;
    return handle(request, response, error => {
      exchange.probe = false;
      next(error);
    });
  };
}

function route(path: string, handler: HttpHandler): RequestHandler {
  const mount = mountAt(path);
  // An Express application has requests with a prototype of its own.
  if ('request' in handler && typeof handler.request === 'object' && handler.request !== null)
    watchRoutes(handler.request);
  return (request, response, next) => {
    noteRoute(request, mount);
    return handler(request, response, error => {
      if (error === undefined || error === null) forgetRoute(request);
      next(error);
    }) as Promise<void>;
  };
}
