import { AsyncResource } from 'node:async_hooks';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  type Clock,
  type HttpHandler,
  type HttpServer,
  type KeelsonError,
  type Lifecycle,
  type LifecyclePhase,
  type Logger,
  type RouteOptions,
  runWithContext,
  type Telemetry,
} from '@keelson/core';
import { logAccess } from './access-log.js';
import { answerClientError } from './client-error.js';
import { Connections } from './connections.js';
import { createErrorHandler } from './error-handler.js';
import { exchangeOf, openExchange } from './exchange.js';
import { createExpressApp, type ExpressApp } from './express-app.js';
import { describeListening, listen } from './listen.js';
import type { HttpOptions } from './options.js';
import { notReady, stopping } from './refusals.js';
import { requestIdFrom } from './request-id.js';
import type { RequestSessions } from './request-sessions.js';
import { createSessionMiddleware } from './session-middleware.js';

export interface HttpServerTools {
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** Who is let in: nobody yet, everybody, nobody any more. */
type Admission = 'starting' | 'open' | 'draining';

/** How often Node looks for requests that take too long to arrive. */
const timeoutCheckIntervalMs = 1_000;

export class ExpressHttpServer implements HttpServer {
  readonly #options: HttpOptions;
  readonly #tools: HttpServerTools;
  readonly #app: ExpressApp;
  readonly #server: Server;
  readonly #connections: Connections;
  #admission: Admission = 'starting';
  #phases: Disposable | undefined;
  #sessions: RequestSessions | undefined;
  #url: string | undefined;

  constructor(options: HttpOptions, tools: HttpServerTools) {
    this.#options = options;
    this.#tools = tools;
    const handleError = createErrorHandler(tools);
    const { readOnlyMethods } = options;
    this.#app = createExpressApp(options, {
      open: (request, response, next) => this.#open(request, response, next),
      admit: (request, _response, next) => next(this.#refusal(request)),
      session: createSessionMiddleware({ sessions: () => this.#sessions, readOnlyMethods, handleError }),
      handleError,
    });
    this.#server = createServer(
      {
        headersTimeout: options.headersTimeoutMs,
        requestTimeout: Math.max(options.requestTimeoutMs, options.headersTimeoutMs),
        keepAliveTimeout: options.keepAliveTimeoutMs,
        connectionsCheckingInterval: timeoutCheckIntervalMs,
      },
      this.#app.handle,
    );
    this.#connections = new Connections(this.#server);
    this.#server.on('clientError', (error, socket) =>
      answerClientError(error, socket as Socket, this.#connections.isAnswering(socket as Socket)),
    );
  }

  get url(): string | undefined {
    return this.#url;
  }

  router(path: string, handler: HttpHandler, options: RouteOptions = {}): void {
    this.#app.mount(path, handler, options.session ?? 'request');
  }

  /** @throws KeelsonError HTTP_PORT_TAKEN, HTTP_PORT_FORBIDDEN or HTTP_LISTEN_FAILED. */
  async listen(): Promise<void> {
    const listening = await listen(this.#server, this.#options);
    this.#url = listening.url;
    this.#server.on('error', error => this.#tools.logger.error('The HTTP server failed', { error }));
    this.#tools.logger.info(`Listening on ${describeListening(listening)}`, { ...listening });
  }

  /** Lets everybody in as soon as the whole service is ready; each request gets one of `sessions`, when there are any. */
  letIn(sessions: RequestSessions | undefined): void {
    const { lifecycle } = this.#tools;
    this.#sessions = sessions;
    this.#phases ??= lifecycle.onPhase(phase => this.#follow(phase));
    this.#follow(lifecycle.phase);
  }

  /**
   * Takes nothing new in and resolves when every request has been answered; those that are not after `drainTimeoutMs`,
   * or when `signal` aborts, are cut. Probes on connections that are open already are answered meanwhile.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#admission = 'draining';
    this.#server.close();
    this.#connections.closeWhenIdle();
    await this.#quietWithin(this.#options.drainTimeoutMs, signal);
    const { active } = this.#connections;
    if (active > 0) this.#tools.logger.warn('Requests are cut: the time to drain is over', { requests: active });
    this.#connections.destroyAll();
  }

  /** Closes the port and every connection, whatever is under way on it. Twice is once. */
  async close(): Promise<void> {
    this.#phases?.[Symbol.dispose]();
    this.#admission = 'draining';
    if (this.#server.listening) this.#server.close();
    this.#connections.destroyAll();
    this.#url = undefined;
  }

  #follow(phase: LifecyclePhase): void {
    if (phase === 'ready' && this.#admission === 'starting') this.#admission = 'open';
  }

  #open(request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const { clock, telemetry } = this.#tools;
    const { requestIdHeader } = this.#options;
    const requestId = requestIdFrom(request.headers[requestIdHeader.toLowerCase()]);
    const exchange = openExchange(request, requestId, clock.now());
    const traceId = telemetry.currentTraceId();
    response.setHeader(requestIdHeader, requestId);
    runWithContext({ requestId, ...(traceId === undefined ? {} : { traceId }) }, () => {
      response.once(
        'close',
        AsyncResource.bind(() => logAccess(exchange, request, response, this.#tools)),
      );
      next();
    });
  }

  #refusal(request: IncomingMessage): KeelsonError | undefined {
    if (this.#admission === 'open') return undefined;
    exchangeOf(request).refused = true;
    return this.#admission === 'starting' ? notReady() : stopping();
  }

  async #quietWithin(ms: number, signal: AbortSignal): Promise<void> {
    const quiet = new AbortController();
    const timeout = this.#tools.clock.sleep(ms, AbortSignal.any([signal, quiet.signal])).catch(() => {});
    await Promise.race([this.#connections.quiet(), timeout]);
    quiet.abort();
  }
}
