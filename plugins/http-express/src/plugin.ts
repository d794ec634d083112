import { definePlugin, HttpServer, Logger, Telemetry } from '@keelson/core';
import { ExpressHttpServer, ExpressHttpServerToken } from './express-http-server.js';
import manifest from './manifest.js';
import type { HttpOptions } from './options.js';

export default definePlugin<HttpOptions>({
  ...manifest,

  register({ bind, config, clock, lifecycle }) {
    bind(ExpressHttpServerToken)
      .toResolvedValue(
        (logger: Logger, telemetry: Telemetry) =>
          new ExpressHttpServer(config, {
            clock,
            lifecycle,
            logger: logger.child({ plugin: manifest.name }),
            telemetry,
          }),
        [Logger, Telemetry],
      )
      .inSingletonScope();
    bind(HttpServer).toService(ExpressHttpServerToken);
  },

  async start({ container }) {
    await container.get(ExpressHttpServerToken).listen();
  },

  async drain({ container, signal }) {
    await container.get(ExpressHttpServerToken).drain(signal);
  },

  async stop({ container }) {
    await container.get(ExpressHttpServerToken).close();
  },
});
