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
   * For operators and machines, not for users of the service. With an admin port in the configuration, the route answers
   * on that port only; without one, on the port of the service. It has neither session nor admission. Default false.
   */
  readonly admin?: boolean;
}

/**
 * Where middleware runs, in this order. The probes, and the refusal of requests that the service does not take, come before all.
 *
 * - `early`: before the body is read and the session is there. What needs the raw body or changes every answer.
 * - `session`: the body is read, and the request has its session. Who is asking.
 * - `routes`: after that, right before the routes. What they may do.
 * - `late`: when no route has answered, before the 404.
 */
export type MiddlewareStage = 'early' | 'session' | 'routes' | 'late';

export interface MiddlewareOptions {
  /** Unique in the service: letters, digits and `. _ / -`. For `before`, errors and `keelson do http middleware`. */
  readonly name: string;
  /** Default `routes`. */
  readonly stage?: MiddlewareStage;
  /** Names of middleware of the same stage, or of a later one, that run after it. Default: none. */
  readonly before?: string | readonly string[];
  /** Runs at this path and below; inside, `request.url` is what follows it. Default: everywhere. */
  readonly path?: string;
}

/** The options that the database session of a request is opened with. */
export interface RequestSessionOptions {
  /** The variables and the role that row-level security decides by; sent with BEGIN, and gone with the transaction. */
  readonly session?: {
    readonly variables?: Readonly<Record<string, string | number | bigint | boolean | Date>>;
    readonly role?: string;
  };
  /** A replica answers only when it is known to be no further behind, in ms. */
  readonly maxLagMs?: number;
  /** The consistency token of an earlier commit: the request sees what was stored then. */
  readonly after?: string | undefined;
  /** No replica answers, so that the request sees all that was committed before. Default false. */
  readonly fresh?: boolean;
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  /** Longest single statement, in ms; the server ends it. */
  readonly statementTimeoutMs?: number;
  /** Longest wait for a lock, in ms. */
  readonly lockTimeoutMs?: number;
}

/** Written as a method, so that one for a richer type of request (that of Express) is one too. */
export type RequestSessionRule = {
  optionsOf(request: IncomingMessage): RequestSessionOptions;
}['optionsOf'];

export interface HttpServer {
  /** Its address without a path: `http://127.0.0.1:3000`. Undefined until the server listens. */
  readonly url: string | undefined;
  /** The address of the admin port, without a path; undefined without an admin port. */
  readonly adminUrl?: string | undefined;
  /** The address that the admin port is bound to: `::` or `0.0.0.0` for every address. Undefined until it listens. */
  readonly adminAddress?: string | undefined;
  /** Whether routes of operators have a port of their own; known before it listens. Left out: no. */
  readonly hasAdminPort?: boolean;
  /**
   * Mounts `handler` at `path` and below; inside, `request.url` is what follows `path`. Routes are tried in the order in
   * which they were mounted, those with `session: 'none'` first, so that no other route can hide a probe.
   */
  router(path: string, handler: HttpHandler, options?: RouteOptions): void;
  /**
   * Runs `handler` for the requests of all routes, except those with `session: 'none'`. Within a stage the order is that of
   * `before`, then that of the names: it does not depend on the order in which plugins start.
   *
   * The order is fixed when all plugins have started. The service does not start when a name is used twice, `before` has an
   * unknown name, the order has a circle, a handler is an error handler (four parameters), or a path or stage is invalid.
   *
   * @throws KeelsonError HTTP_MIDDLEWARE_LATE once the service is ready.
   */
  use(handler: HttpHandler, options: MiddlewareOptions): void;
  /**
   * Sets the rule that returns the options of the database session of each request, above all its user or tenant. The
   * server calls `rule` when the request first uses its session. When `rule` throws, its error is the answer, and no session
   * is opened. Call `session` once, before the server accepts requests.
   */
  session(rule: RequestSessionRule): void;
}

export const HttpServer: ServiceToken<HttpServer> = serviceToken('@keelson/core/HttpServer');
