import { type Clock, Metrics, type RunContext, type StartedPlugin } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { KeyCleaner, RateLimitKey } from '@keelson/http';
import type { RateLimits } from '@keelson/http/rate-limits';
import { databaseSessions } from './database-sessions.js';
import type { ServerHttpRoutes } from './http-routes.js';
import type { NodeHttpServer } from './node-http-server.js';
import { httpOperations } from './operations.js';
import type { HttpOptions } from './options.js';

type Context = RunContext<HttpOptions>;

/** A server between its start and its stop. */
export class StartedServer implements StartedPlugin<HttpOptions>, Disposable {
  readonly operations: ReturnType<typeof httpOperations>;
  readonly #server: NodeHttpServer;
  readonly #routes: ServerHttpRoutes;
  #cleaner: KeyCleaner | undefined;
  #limits: RateLimits | undefined;

  constructor(server: NodeHttpServer, routes: ServerHttpRoutes) {
    this.#server = server;
    this.#routes = routes;
    this.operations = httpOperations(server);
  }

  async ready(context: Context): Promise<void> {
    const { container, clock, logger } = context;
    const metrics = container.get(Metrics);
    if (metrics.silent !== true) await this.#server.measure(metrics);
    const database = databaseIn(context);
    if (database !== undefined && this.#routes.hasIdempotent) {
      const measured = await jobOf(metrics, clock);
      this.#cleaner = new KeyCleaner({ database, clock, logger, ...(measured && { measured }) });
      await this.#cleaner.start();
    }
    await this.#limit(context);
    await this.#server.prepare();
    this.#server.letIn(database && databaseSessions(database));
  }

  /** Other rate limits: those that are as before go on counting. */
  reconfigure(context: Context): Promise<void> {
    return this.#limit(context);
  }

  async diagnose({ config }: Context) {
    return (await import('./diagnose-port.js')).diagnosePorts(config);
  }

  async drain({ signal, waitingFor }: Context): Promise<void> {
    waitingFor('the requests that are being answered');
    await this.#server.drain(signal);
  }

  [Symbol.dispose](): void {
    this.#cleaner?.[Symbol.dispose]();
    this.#limits?.[Symbol.dispose]();
  }

  /** Nothing is loaded where nothing is limited. Keeps the limits of before when the new ones cannot be counted. */
  async #limit(context: Context): Promise<void> {
    const { config, container, clock, logger } = context;
    const before = this.#limits;
    const limits =
      Object.keys(config.rateLimits).length === 0
        ? undefined
        : await (await import('@keelson/http/rate-limits')).RateLimits.start({
            options: config.rateLimits,
            keys: container.getAll(RateLimitKey, { optional: true }),
            database: databaseIn(context),
            clock,
            logger,
            metrics: container.get(Metrics),
            ...(before && { before }),
          });
    this.#limits = limits;
    this.#server.limit(limits);
    before?.[Symbol.dispose]();
  }
}

function databaseIn({ container }: Context): DatabaseService | undefined {
  return container.isBound(DatabaseService) ? container.get(DatabaseService) : undefined;
}

/** Undefined, and nothing is loaded, where nothing is measured. */
async function jobOf(metrics: Metrics, clock: Clock) {
  if (metrics.silent === true) return undefined;
  const { measureJob } = await import('@keelson/core/metrics');
  return measureJob(metrics, 'http.idempotency-keys', clock);
}
