import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpHandler } from '@keelson/core';
import type { PreparedAnswer, Route } from '@keelson/http';
import {
  type FrameworkRoutes,
  mountAt,
  mountedHandler,
  type Next,
  noteRoute,
  PathMounts,
  routeHandler,
  withoutError,
} from '@keelson/http-server';
import type { FastifyInstance, FastifyReply, HTTPMethods, onRequestHookHandler } from 'fastify';

type Values = Readonly<Record<string, unknown>>;
type Found = { readonly Params: Values; readonly Querystring: Values };

const nextKey = Symbol('what follows the routes');
const bodyKey = 'body';

/** What an answer needs of a reply, whatever its route. */
type Reply = FastifyReply<Found>;

/** The way of a request on, when no route of Fastify answers it. */
type Passing = IncomingMessage & { [nextKey]?: Next; [bodyKey]?: unknown };

/** Routes with schemas are routes of Fastify; handlers that are mounted at a path come after them. */
export class FastifyRoutes implements FrameworkRoutes {
  readonly #app: FastifyInstance;
  readonly #mounts = new PathMounts();
  #isPrepared = false;

  constructor(app: FastifyInstance) {
    this.#app = app;
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse, next: Next): unknown => {
    if (!this.#isPrepared) return this.prepare().then(() => this.handle(request, response, next));
    const passing: Passing = request;
    passing[nextKey] = error => (error === undefined ? this.#mounts.handle(request, response, next) : next(error));
    return this.#app.routing(request, response);
  };

  use(path: string, handler: HttpHandler): void {
    this.#mounts.use(path, mountedHandler(path, handler));
  }

  mount(path: string, routes: readonly Route[], { checks }: { readonly checks: boolean }): void {
    for (const route of routes) this.#add(`${path}${route.path}`, route, checks);
  }

  async prepare(): Promise<void> {
    await this.#app.ready();
    this.#isPrepared = true;
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  #add(path: string, route: Route, checks: boolean): void {
    const mount = mountAt(path);
    const { template } = mount;
    const answer = routeHandler<Reply>(route, { checks, send });
    this.#app.route<Found>({
      // The HEAD route that Fastify adds gives a 204 a length.
      method: route.method === 'get' ? ['GET', 'HEAD'] : (route.method.toUpperCase() as HTTPMethods),
      exposeHeadRoute: false,
      url: template,
      ...(route.method !== 'get' && { onRequest: takeAnyType }),
      handler(request, reply) {
        const { params, query, raw } = request;
        noteRoute(raw, mount);
        const routed = { params, query, body: bodyOf(raw) };
        answer({ ...routed, request: raw, response: reply.raw, target: reply }).catch((error: unknown) =>
          passOn(raw, reply, error ?? new Error(withoutError)),
        );
        return undefined;
      },
    });
  }
}

const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

/** Fastify refuses a body whose type is no type before its route says whether it reads one. */
const takeAnyType: onRequestHookHandler = (request, _reply, done) => {
  const type = request.raw.headers['content-type'];
  if (type !== undefined && !mediaType.test(type)) request.headers = { 'content-type': 'application/octet-stream' };
  done();
};

/** The way on for a request that Fastify has no answer for. */
export function passOn(request: IncomingMessage, reply: FastifyReply, error?: unknown): void {
  reply.hijack();
  (request as Passing)[nextKey]?.(error);
}

/** The body as it was read before the routes. */
export function bodyOf(request: IncomingMessage): unknown {
  return (request as Passing)[bodyKey];
}

function send({ status, headers, text }: PreparedAnswer, reply: Reply): void {
  reply.code(status).headers(headers);
  if (text === undefined) {
    reply.send();
    return;
  }
  const type = reply.getHeader('content-type');
  if (type === undefined) reply.type('application/json; charset=utf-8');
  else if (typeof type === 'string' && !/;\s*charset\s*=/i.test(type)) reply.type(`${type}; charset=utf-8`);
  reply.send(text);
}

/**
 * Fastify decodes a path before it looks for the route. Limits and middleware see it as it came: `/l%6Fgin` must not reach
 * `/login` without them. What parameters and `*` stand for may be written in any way.
 */
export const passOnOtherSpelling: onRequestHookHandler = ({ raw, routeOptions }, reply, done) => {
  const { url } = routeOptions;
  if (url === undefined || isWrittenAs(url, raw.url)) done();
  else passOn(raw, reply);
};

function isWrittenAs(template: string, url = '/'): boolean {
  if (!url.includes('%')) return true;
  const [path = ''] = url.split('?', 1);
  const parts = path.toLowerCase().split('/');
  const [fixed = ''] = template.toLowerCase().split('*', 1);
  const segments = fixed.split('/');
  // What stands before `*` in its segment, mostly nothing.
  if (fixed !== template.toLowerCase()) segments.pop();
  return segments.every((segment, at) => segment.includes(':') || segment === (parts[at] ?? ''));
}
