import { type Clock, definePlugin, HttpServer, Logger, Metrics, makeOnce, Telemetry } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { HttpRoutes, KeyCleaner, RateLimitKey } from '@keelson/http';
import { databaseSessions } from './database-sessions.js';
import { ExpressHttpServer } from './express-http-server.js';
import { ExpressHttpRoutes } from './http-routes.js';
import manifest from './manifest.js';
import { httpOperations } from './operations.js';
import type { HttpOptions } from './options.js';

export default definePlugin<HttpOptions>({
  ...manifest,

  register({ bind, config, clock, key, lifecycle, service, environment }) {
    const serverWith = makeOnce(
      (logger: Logger, telemetry: Telemetry) =>
        new ExpressHttpServer(config, { clock, lifecycle, logger: logger.child({ plugin: key }), telemetry }),
    );
    bind(HttpServer).toResolvedValue(serverWith, [Logger, Telemetry]).inSingletonScope();
    const routesOn = makeOnce((http: HttpServer) => new ExpressHttpRoutes(config, { http, service, environment }));
    bind(HttpRoutes).toResolvedValue(routesOn, [HttpServer]).inSingletonScope();

    return {
      async start({ container, serving, defer, logger }) {
        const server = serverWith(container.get(Logger), container.get(Telemetry));
        let cleaner: KeyCleaner | undefined;
        let limits: Disposable | undefined;
        defer(() => cleaner?.[Symbol.dispose]());
        defer(() => limits?.[Symbol.dispose]());
        defer(() => server.close());
        if (serving) await server.listen();
        return {
          async ready() {
            const metrics = container.get(Metrics);
            if (metrics.silent !== true) await server.measure(metrics);
            const database = container.isBound(DatabaseService) ? container.get(DatabaseService) : undefined;
            if (database !== undefined && routesOn(server).hasIdempotent) {
              const measured = await jobOf(metrics, clock);
              cleaner = new KeyCleaner({ database, clock, logger, ...(measured && { measured }) });
              await cleaner.start();
            }
            if (Object.keys(config.rateLimits).length > 0) {
              const { RateLimits } = await import('@keelson/http/rate-limits');
              const keys = container.getAll(RateLimitKey, { optional: true });
              const rateLimits = await RateLimits.start({
                options: config.rateLimits,
                keys,
                database,
                clock,
                logger,
                metrics,
              });
              limits = rateLimits;
              server.limit(rateLimits);
            }
            server.letIn(database && databaseSessions(database));
          },
          operations: httpOperations(server),
          diagnose: async () => (await import('./diagnose-port.js')).diagnosePorts(config),
          async drain({ signal, waitingFor }) {
            waitingFor('the requests that are being answered');
            await server.drain(signal);
          },
        };
      },
    };
  },
});

/** Undefined, and nothing is loaded, where nothing is measured. */
async function jobOf(metrics: Metrics, clock: Clock) {
  if (metrics.silent === true) return undefined;
  const { measureJob } = await import('@keelson/core/metrics');
  return measureJob(metrics, 'http.idempotency-keys', clock);
}
