import type { RequestListener } from 'node:http';
import type { HttpHandler } from '@keelson/core';
import type { Middleware, OrderedMiddleware, Route } from '@keelson/http';
import { corsHandler } from './cors.js';
import type { Framework } from './framework.js';
import { jsonBody } from './json-body.js';
import { mountedProbe } from './mounted-handler.js';
import type { HttpOptions } from './options.js';
import { unknownRoute } from './refusals.js';
import type { Step } from './step.js';

export interface ApplicationParts {
  /** Runs before everything else. */
  readonly open: Step;
  /** Runs what follows in the span of the request; undefined for silent telemetry. Probes come before it. */
  readonly trace: Step | undefined;
  /** Admits a request, or passes on the error that refuses it. */
  readonly admit: Step;
  /** Refuses requests of callers that send too many. */
  readonly limit: Step;
  /** Gives the request its session. */
  readonly session: Step;
}

export interface Application {
  readonly handle: RequestListener;
  mount(path: string, handler: HttpHandler, session: 'request' | 'none'): void;
  mountRoutes(path: string, routes: readonly Route[], options: { readonly checks: boolean }): void;
  /** To be called before the first request is admitted, once the order of the middleware is known. */
  complete(middleware: OrderedMiddleware): void;
  /** Resolves when the framework can take requests. */
  prepare(): Promise<void>;
  close(): Promise<void>;
}

/** Builds the way of a request through the service. */
export function createApplication(options: HttpOptions, framework: Framework, parts: ApplicationParts): Application {
  const probes = framework.mounts();
  const routes = framework.routes();
  const { bodyLimitBytes: limitBytes, bodyMaxDepth: maxDepth } = options;
  const body = jsonBody({ limitBytes, maxDepth, types: ['application/json', 'application/*+json'] });
  const cors = options.cors === undefined ? [] : [corsHandler(options.cors)];
  const traced = parts.trace === undefined ? [] : [parts.trace];
  const stepOf = ({ path, handle }: Middleware): Step => {
    if (path === undefined) return handle;
    const mounts = framework.mounts();
    mounts.use(path, handle);
    return mounts.handle;
  };
  // No request comes past `admit` before the rest is there.
  const steps: Step[] = [parts.open, ...cors, probes.handle, ...traced, parts.admit, parts.limit];
  return {
    handle: framework.listener(steps),
    mount: (path, handler, session) => {
      if (session === 'none') probes.use(path, mountedProbe(path, handler));
      else routes.use(path, handler);
    },
    mountRoutes: (path, added, checks) => routes.mount(path, added, checks),
    complete: ({ early, session, routes: beforeRoutes, late }) => {
      steps.push(...early.map(stepOf), body, parts.session, ...session.map(stepOf));
      steps.push(...beforeRoutes.map(stepOf), routes.handle, ...late.map(stepOf), notFound);
    },
    prepare: async () => routes.prepare?.(),
    close: async () => routes.close?.(),
  };
}

/** Builds the application of the admin port: its routes answer at any time, without session and body. */
export function createAdminApplication(framework: Framework, open: Step) {
  const routes = framework.mounts();
  return {
    handle: framework.listener([open, routes.handle, notFound]),
    mount: (path: string, handler: HttpHandler): void => routes.use(path, mountedProbe(path, handler)),
  };
}

const notFound: Step = (_request, _response, next) => next(unknownRoute());
