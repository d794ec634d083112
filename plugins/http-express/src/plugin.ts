import { definePlugin, HttpServer, Logger, makeOnce, Telemetry } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { HttpRoutes } from '@keelson/http';
import { databaseSessions } from './database-sessions.js';
import { ExpressHttpServer } from './express-http-server.js';
import { ExpressHttpRoutes } from './http-routes.js';
import manifest from './manifest.js';
import type { HttpOptions } from './options.js';

export default definePlugin<HttpOptions>({
  ...manifest,

  register({ bind, config, clock, key, lifecycle, service, environment }) {
    const serverWith = makeOnce(
      (logger: Logger, telemetry: Telemetry) =>
        new ExpressHttpServer(config, { clock, lifecycle, logger: logger.child({ plugin: key }), telemetry }),
    );
    bind(HttpServer).toResolvedValue(serverWith, [Logger, Telemetry]).inSingletonScope();
    bind(HttpRoutes)
      .toResolvedValue(http => new ExpressHttpRoutes(config, { http, service, environment }), [HttpServer])
      .inSingletonScope();

    return {
      async start({ container, serving, defer }) {
        const server = serverWith(container.get(Logger), container.get(Telemetry));
        defer(() => server.close());
        if (serving) await server.listen();
        return {
          ready() {
            const hasDatabase = container.isBound(DatabaseService);
            server.letIn(hasDatabase ? databaseSessions(container.get(DatabaseService)) : undefined);
          },
          diagnose: async () => (await import('./diagnose-port.js')).diagnosePort(config),
          async drain({ signal, waitingFor }) {
            waitingFor('the requests that are being answered');
            await server.drain(signal);
          },
        };
      },
    };
  },
});
