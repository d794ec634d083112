import { definePlugin, HttpServer, Logger, type RunContext, Telemetry } from '@keelson/core';
import { DatabaseService } from '@keelson/database/contract';
import { databaseSessions } from './database-sessions.js';
import { diagnosePort } from './diagnose-port.js';
import { ExpressHttpServer, ExpressHttpServerToken } from './express-http-server.js';
import manifest from './manifest.js';
import type { HttpOptions } from './options.js';

export default definePlugin<HttpOptions>({
  ...manifest,

  register({ bind, config, clock, key, lifecycle }) {
    bind(ExpressHttpServerToken)
      .toResolvedValue(
        (logger: Logger, telemetry: Telemetry) =>
          new ExpressHttpServer(config, {
            clock,
            lifecycle,
            logger: logger.child({ plugin: key }),
            telemetry,
          }),
        [Logger, Telemetry],
      )
      .inSingletonScope();
    bind(HttpServer).toService(ExpressHttpServerToken);
  },

  async start(context) {
    if (context.serving) await serverOf(context).listen();
  },

  ready(context) {
    const { container } = context;
    const hasDatabase = container.isBound(DatabaseService);
    serverOf(context).letIn(hasDatabase ? databaseSessions(container.get(DatabaseService)) : undefined);
  },

  diagnose: ({ config }) => diagnosePort(config),

  async drain(context) {
    context.waitingFor('the requests that are being answered');
    await serverOf(context).drain(context.signal);
  },

  async stop(context) {
    await serverOf(context).close();
  },
});

function serverOf({ container, instance }: RunContext<HttpOptions>): ExpressHttpServer {
  return container.get(ExpressHttpServerToken, instance === undefined ? undefined : { name: instance });
}
