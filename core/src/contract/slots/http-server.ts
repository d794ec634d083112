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

/** With what the database session of a request is opened. */
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
  /** The same of the admin port; undefined without one. */
  readonly adminUrl?: string | undefined;
  /** Whether routes of operators have a port of their own; known before it listens. Left out: no. */
  readonly hasAdminPort?: boolean;
  /**
   * Mounts `handler` at `path` and below; inside, `request.url` is what follows `path`. Routes are tried in the order in
   * which they were mounted, those with `session: 'none'` first, so that no other route can hide a probe.
   */
  router(path: string, handler: HttpHandler, options?: RouteOptions): void;
  /**
   * Says with what the database session of each request is opened: for whom, above all. `rule` is called when the request
   * first uses its session, after the middleware before that. What it throws is the answer, and no session is opened.
   * To be called once, before the server serves.
   */
  session(rule: RequestSessionRule): void;
}

export const HttpServer: ServiceToken<HttpServer> = serviceToken('@keelson/core/HttpServer');
