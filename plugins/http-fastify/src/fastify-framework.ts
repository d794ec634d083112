import { parse as parseQuery } from 'node:querystring';
import type { HttpHandler } from '@keelson/core';
import {
  type Framework,
  type FrameworkParts,
  type FrameworkRoutes,
  type Mounts,
  nodeListener,
  PathMounts,
  refusedRequest,
  type Step,
  trustedProxies,
} from '@keelson/http-server';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { expressRouterRefused, isExpressRouter } from './express-router.js';
import { bodyOf, FastifyRoutes, passOn, passOnOtherSpelling } from './fastify-routes.js';
import { http } from './node-http.js';

/** Longer than any URL that Node reads. */
const maxParamLength = 65_536;

/** Refusals of a `Content-Type` that is none, or is missing. */
const codesOfType = new Set(['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE']);

/** What a server takes from Fastify: it finds the route, and sends the answer. */
export class FastifyFramework implements Framework {
  readonly app: FastifyInstance;
  readonly #parts: FrameworkParts;

  constructor(parts: FrameworkParts) {
    this.#parts = parts;
    this.app = createApp(parts);
  }

  mounts(): Mounts {
    return new PathMounts();
  }

  routes(): FrameworkRoutes {
    return new FastifyRoutes(this.app);
  }

  listener(steps: readonly Step[]) {
    return nodeListener(steps, this.#parts.handleError);
  }

  assertRuns(handler: HttpHandler, at: string): void {
    if (isExpressRouter(handler)) throw expressRouterRefused(at);
  }
}

function createApp({ options, handleError }: FrameworkParts): FastifyInstance {
  const onError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const { raw } = request;
    // Fastify looks at the type of the body before it knows that the route is none of its own, and has set a status.
    if (request.is404 && codesOfType.has(error.code)) return passOn(raw, reply.code(200));
    reply.hijack();
    return handleError(translated(error), raw, reply.raw);
  };
  const app = Fastify({
    // It listens to nothing: requests come from the server of the service.
    serverFactory: () => http.createServer(),
    logger: false,
    trustProxy: trustedProxies(options.trustProxy),
    exposeHeadRoutes: true,
    frameworkErrors: onError,
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      maxParamLength,
      querystringParser: query => parseQuery(query, '&', '=', { maxKeys: 0 }),
    },
  });
  // Before the hooks of any plugin.
  app.addHook('onRequest', passOnOtherSpelling);
  // The body was read before the routes, or is left to a handler.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, _payload, done) => done(null, bodyOf(request.raw)));
  app.setErrorHandler(onError);
  app.setNotFoundHandler((request, reply) => passOn(request.raw, reply));
  return app;
}

/** Of Fastify's own errors, those that are for clients. */
function translated(error: FastifyError): unknown {
  const { code, statusCode } = error;
  const isForClients = typeof code === 'string' && code.startsWith('FST_') && statusCode !== undefined;
  return isForClients && statusCode >= 400 && statusCode < 500 ? refusedRequest(error, statusCode) : error;
}
