import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  type Clock,
  type CorrelationContext,
  Deadline,
  type HttpHandler,
  type HttpServer,
  type KeelsonError,
  type Lifecycle,
  type LifecyclePhase,
  type Logger,
  type Metrics,
  type MiddlewareOptions,
  type RequestSessionRule,
  type RouteOptions,
  runWithContext,
  runWithDeadline,
  type Telemetry,
} from '@keelson/core';
import { MiddlewareList, type OrderedMiddleware, type Route } from '@keelson/http';
import type { RateLimits } from '@keelson/http/rate-limits';
import { logAccess } from './access-log.js';
import { AdminPort } from './admin-port.js';
import { type Application, createAdminApplication, createApplication } from './application.js';
import { clientAddresses } from './client-address.js';
import { answerClientError, refuseTunnel } from './client-error.js';
import { closePort } from './closing-port.js';
import { Connections } from './connections.js';
import { consistencies } from './consistency.js';
import { continueWhenRead } from './continue-when-read.js';
import { createErrorHandler, type HandleError } from './error-handler.js';
import { type Exchange, exchangeOf, openExchange } from './exchange.js';
import type { Framework, FrameworkParts } from './framework.js';
import type { HttpMetrics } from './http-metrics.js';
import { limitRequests } from './limit-requests.js';
import { describeListening, listen } from './listen.js';
import { http } from './node-http.js';
import type { HttpOptions } from './options.js';
import { type Load, Overload } from './overload.js';
import { notReady, sessionRuleTaken, stopping } from './refusals.js';
import { RequestDeadlines } from './request-deadline.js';
import { requestIdFrom } from './request-id.js';
import { cutShort, type RequestSessions, sessionIdOf } from './request-sessions.js';
import { endSpan, traceRequests } from './request-span.js';
import { syntaxFailure, toOriginForm } from './request-syntax.js';
import { securityHeaders } from './security-headers.js';
import { createSessionMiddleware } from './session-middleware.js';
import type { Step } from './step.js';

export interface HttpServerTools {
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

interface ServerParts {
  readonly framework: Framework;
  readonly handleError: HandleError;
}

/** Which requests are admitted: none yet, all, or none any more; while the port closes, they wait for their refusal. */
type Admission = 'starting' | 'open' | 'closing the port' | 'draining';

/** How often Node checks for requests that arrive too slowly, in ms. */
const timeoutCheckIntervalMs = 1_000;
/** How long requests that were waiting for the database may take to answer so, when the time to drain is over, in ms. */
const lastAnswersMs = 200;

/** The server of a service; its routes are those of a framework. */
export class NodeHttpServer implements HttpServer {
  readonly #options: HttpOptions;
  /** The name of the header as Node has it. */
  readonly #requestIdKey: string;
  readonly #tools: HttpServerTools;
  readonly #overload: Overload | undefined;
  readonly #deadlines: RequestDeadlines | undefined;
  readonly #secure: (response: ServerResponse) => void;
  readonly #framework: Framework;
  readonly #app: Application;
  readonly #middleware = new MiddlewareList();
  readonly #admin: AdminPort | undefined;
  readonly #server: Server;
  readonly #connections: Connections;
  #admission: Admission = 'starting';
  readonly #waiting: (() => void)[] = [];
  #phases: Disposable | undefined;
  #sessions: RequestSessions | undefined;
  #sessionRule: RequestSessionRule | undefined;
  #rateLimits: RateLimits | undefined;
  #url: string | undefined;
  /** Undefined where nothing is measured. */
  #metrics: HttpMetrics | undefined;
  readonly #load: Load = {
    active: () => this.#connections.active,
    pool: () => this.#sessions?.pool(),
  };

  /** A server, and its framework. */
  static on<Own extends Framework>(
    makeFramework: (parts: FrameworkParts) => Own,
    options: HttpOptions,
    tools: HttpServerTools,
  ): { readonly server: NodeHttpServer; readonly framework: Own } {
    const handleError = createErrorHandler({ ...tools, problems: options.problems });
    const framework = makeFramework({ options, handleError });
    return { server: new NodeHttpServer({ framework, handleError }, options, tools), framework };
  }

  private constructor({ framework, handleError }: ServerParts, options: HttpOptions, tools: HttpServerTools) {
    this.#options = options;
    this.#requestIdKey = options.requestIdHeader.toLowerCase();
    this.#tools = tools;
    this.#deadlines = options.deadline && new RequestDeadlines(options.deadline, tools.clock);
    this.#secure = securityHeaders(options.securityHeaders);
    const { readOnlyMethods, problems } = options;
    const consistency = consistencies[options.consistency];
    this.#framework = framework;
    const open: Step = (request, response, next) => this.#open(request, response, next);
    if (options.admin !== undefined) {
      const app = createAdminApplication(framework, open);
      this.#admin = new AdminPort(options.admin, app, tools.logger);
    }
    this.#app = createApplication(options, framework, {
      open,
      trace: traceRequests(tools.telemetry, options.continueTraces),
      admit: (request, _response, next) => this.#admit(request, next),
      limit: limitRequests({ limits: () => this.#rateLimits, addressOf: clientAddresses(options.trustProxy) }),
      session: createSessionMiddleware({
        sessions: () => this.#sessions,
        rule: () => this.#sessionRule,
        readOnlyMethods,
        consistency,
        handleError,
      }),
    });
    this.#server = http.createServer(
      {
        headersTimeout: options.headersTimeoutMs,
        requestTimeout: Math.max(options.requestTimeoutMs, options.headersTimeoutMs),
        keepAliveTimeout: options.keepAliveTimeoutMs,
        connectionsCheckingInterval: timeoutCheckIntervalMs,
        // Node would answer without a problem document.
        requireHostHeader: false,
      },
      (request, response) => this.#handle(request, response),
    );
    this.#server.on('checkContinue', (request, response) => {
      continueWhenRead(request, response);
      this.#handle(request, response);
    });
    this.#server.on('checkExpectation', (request, response) => this.#handle(request, response));
    this.#connections = new Connections(this.#server, tools.clock);
    const onRefused = (code: string) => this.#metrics?.refused(code);
    const refusing = { connections: this.#connections, problems, onRefused };
    this.#server.on('connect', ({ socket }) => refuseTunnel(socket, refusing));
    this.#server.timeout = options.stalledTimeoutMs;
    this.#server.on('timeout', socket => this.#connections.cutStalled(socket));
    if (options.overload !== false) this.#overload = new Overload(options.overload, this.#load, tools.clock);
    this.#server.on('clientError', (error, socket) => {
      void answerClientError(error, socket as Socket, refusing);
    });
  }

  get url(): string | undefined {
    return this.#url;
  }

  get adminUrl(): string | undefined {
    return this.#admin?.url;
  }

  get adminAddress(): string | undefined {
    return this.#admin?.address;
  }

  get hasAdminPort(): boolean {
    return this.#admin !== undefined;
  }

  /** Number of requests without a complete answer. */
  get active(): number {
    return this.#connections.active;
  }

  router(path: string, handler: HttpHandler, options: RouteOptions = {}): void {
    const { session = 'request', admin = false } = options;
    this.#framework.assertRuns?.(handler, path);
    if (!admin) this.#app.mount(path, handler, session);
    else if (this.#admin === undefined) this.#app.mount(path, handler, 'none');
    else this.#admin.mount(path, handler);
  }

  /** Mounts routes with schemas, as `HttpRoutes` does. */
  mountRoutes(path: string, routes: readonly Route[], options: { readonly checks: boolean }): void {
    this.#app.mountRoutes(path, routes, options);
  }

  /** @throws KeelsonError HTTP_MIDDLEWARE_LATE once the server lets requests in. */
  use(handler: HttpHandler, options: MiddlewareOptions): void {
    this.#framework.assertRuns?.(handler, options.name);
    this.#middleware.add(handler, options);
  }

  /** In the order in which it runs; undefined until the service is ready. */
  get middleware(): OrderedMiddleware | undefined {
    return this.#middleware.ordered;
  }

  /** @throws KeelsonError HTTP_SESSION_RULE_TAKEN when another part of the service has given one. */
  session(rule: RequestSessionRule): void {
    if (this.#sessionRule !== undefined) throw sessionRuleTaken();
    this.#sessionRule = rule;
  }

  /** @throws KeelsonError HTTP_PORT_TAKEN, HTTP_PORT_FORBIDDEN or HTTP_LISTEN_FAILED. */
  async listen(): Promise<void> {
    await this.#admin?.listen();
    const listening = await listen(this.#server, this.#options);
    this.#url = listening.url;
    this.#server.on('error', error => this.#tools.logger.error('http server failed', { error }));
    this.#tools.logger.info(`listening on ${describeListening(listening)}`, { ...listening });
  }

  /** Measures from now on. The code for it is loaded only here. */
  async measure(metrics: Metrics): Promise<void> {
    const { HttpMetrics } = await import('./http-metrics.js');
    this.#metrics ??= new HttpMetrics(metrics, () => this.#connections.active);
    this.#overload?.measure(metrics);
  }

  /** Requests are counted by `rateLimits` from now on; by none when it is undefined. */
  limit(rateLimits: RateLimits | undefined): void {
    this.#rateLimits = rateLimits;
  }

  /** Resolves when all routes are there, and the framework can take requests. */
  prepare(): Promise<void> {
    return this.#app.prepare();
  }

  /**
   * Admits all requests when the whole service is ready; each gets one of `sessions`, when the service has them.
   *
   * @throws KeelsonError HTTP_MIDDLEWARE_INVALID with all problems of the middleware; then none is admitted.
   */
  letIn(sessions: RequestSessions | undefined): void {
    const { lifecycle } = this.#tools;
    if (this.#middleware.ordered === undefined) this.#app.complete(this.#middleware.order());
    this.#sessions = sessions;
    this.#overload?.start();
    this.#phases ??= lifecycle.onPhase(phase => this.#follow(phase));
    this.#follow(lifecycle.phase);
  }

  /**
   * Takes no new request and resolves when every request is answered and its connection closed. After `drainTimeoutMs`, or
   * when `signal` aborts, requests that wait for the database get an error to answer with, and the rest is cut. Probes on
   * connections that are open already are answered meanwhile.
   */
  async drain(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#tools;
    const done = new AbortController();
    const over = AbortSignal.any([signal, done.signal]);
    const timeout = clock.sleep(this.#options.drainTimeoutMs, over).catch(() => {});
    await Promise.race([this.#drain(over), timeout]);
    done.abort();
    if (this.#connections.active > 0) await this.#cutShort();
    const { active } = this.#connections;
    if (active > 0) logger.warn('requests cut: the time to drain is over', { requests: active });
    this.#closeApi();
  }

  /** Closes both ports and every connection, also with running requests. A second call has no effect. */
  async close(): Promise<void> {
    this.#closeApi();
    this.#metrics?.[Symbol.dispose]();
    this.#admin?.close();
    await this.#app.close();
  }

  #closeApi(): void {
    this.#overload?.[Symbol.dispose]();
    this.#phases?.[Symbol.dispose]();
    this.#refuseAll();
    // Also when it no longer listens: it stops the check for slow requests.
    this.#server.close();
    this.#connections.destroyAll();
    this.#url = undefined;
  }

  async #cutShort(): Promise<void> {
    const { clock } = this.#tools;
    this.#refuseAll();
    const reason = stopping();
    const unanswered = this.#connections.unanswered().filter(({ req }) => cutShort(req, reason));
    if (unanswered.length === 0) return;
    const done = new AbortController();
    const closed = unanswered.map(response => new Promise<void>(resolve => response.once('close', () => resolve())));
    await Promise.race([Promise.all(closed), clock.sleep(lastAnswersMs, done.signal).catch(() => {})]);
    done.abort();
  }

  async #drain(signal: AbortSignal): Promise<void> {
    const { clock } = this.#tools;
    this.#connections.announceClose();
    if (this.#admission !== 'draining') this.#admission = 'closing the port';
    await closePort(this.#server, this.#connections, clock, signal);
    if (signal.aborted) return;
    this.#refuseAll();
    await this.#connections.closeAtRest();
  }

  #follow(phase: LifecyclePhase): void {
    if (phase === 'ready' && this.#admission === 'starting') this.#admission = 'open';
    // Before the port closes: a client that reads this header closes the connection itself, and loses no request.
    if (phase === 'stopping') this.#connections.announceClose();
  }

  #admit(request: IncomingMessage, next: (error?: unknown) => void): void {
    // An answer now would make its client connect again, to a port that is being closed.
    if (this.#admission === 'closing the port') this.#waiting.push(() => next(this.#refusal(request)));
    else next(this.#refusal(request));
  }

  #refuseAll(): void {
    this.#admission = 'draining';
    for (const refuse of this.#waiting.splice(0)) refuse();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#connections.begin(request, response)) return;
    if (request.url?.startsWith('/') === false) toOriginForm(request);
    this.#app.handle(request, response);
  }

  #open(request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void {
    const { clock } = this.#tools;
    const requestId = requestIdFrom(request.headers[this.#requestIdKey]);
    const exchange = openExchange(request, requestId, clock.now());
    this.#secure(response);
    response.setHeader(this.#options.requestIdHeader, requestId);
    const context = { requestId };
    response.on('close', () => this.#closed(exchange, request, response, context));
    const failure = syntaxFailure(request);
    // What follows on the connection may be a part of it.
    if (failure?.code === 'HTTP_REQUEST_MALFORMED') response.shouldKeepAlive = false;
    const deadline = this.#deadlines?.of(request);
    if (deadline instanceof Deadline) runWithDeadline(deadline, () => next(failure), context);
    else runWithContext(context, () => next(failure ?? deadline));
  }

  /** Lines and exemplars have the ids of the session and the span, which have ended their last function by now. */
  #closed(exchange: Exchange, request: IncomingMessage, response: ServerResponse, context: CorrelationContext): void {
    const { span } = exchange;
    const report = () => {
      logAccess(exchange, request, response, this.#tools);
      this.#metrics?.ended(exchange, request, response, this.#tools.clock.now() - exchange.startedAt);
    };
    const sessionId = sessionIdOf(request);
    const ids = sessionId === undefined ? context : { ...context, sessionId };
    if (span === undefined) {
      runWithContext(ids, report);
      return;
    }
    const traced = span.traceId === undefined ? ids : { ...ids, traceId: span.traceId };
    span.run(() => runWithContext(traced, report));
    endSpan(span, exchange, request, response);
  }

  #refusal(request: IncomingMessage): KeelsonError | undefined {
    const refusal = this.#whyRefused();
    if (refusal !== undefined) exchangeOf(request).refused = true;
    return refusal;
  }

  #whyRefused(): KeelsonError | undefined {
    if (this.#admission === 'open') return this.#overload?.refusal();
    return this.#admission === 'starting' ? notReady() : stopping();
  }
}
