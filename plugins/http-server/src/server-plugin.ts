import {
  definePlugin,
  HttpServer,
  Logger,
  makeOnce,
  type Plugin,
  type PluginManifest,
  type ServiceToken,
  Telemetry,
} from '@keelson/core';
import { HttpRoutes } from '@keelson/http';
import type { Framework, FrameworkParts } from './framework.js';
import { ServerHttpRoutes } from './http-routes.js';
import { NodeHttpServer } from './node-http-server.js';
import type { HttpOptions } from './options.js';
import { StartedServer } from './started-server.js';

export interface ServerPluginParts<Own extends Framework, Service> {
  readonly manifest: PluginManifest<HttpOptions>;
  readonly framework: (parts: FrameworkParts) => Own;
  /** A service that only this framework provides. */
  readonly bindMore?: { readonly token: ServiceToken<Service>; of(framework: Own): Service };
}

/** The plugin of a server on `framework`. */
export function serverPlugin<Own extends Framework, Service extends object>({
  manifest,
  framework,
  bindMore,
}: ServerPluginParts<Own, Service>): Plugin<HttpOptions> {
  return definePlugin<HttpOptions>({
    ...manifest,

    register({ bind, config, clock, key, lifecycle, service, environment }) {
      const partsWith = makeOnce((logger: Logger, telemetry: Telemetry) => {
        const tools = { clock, lifecycle, logger: logger.child({ plugin: key }), telemetry };
        return NodeHttpServer.on(framework, config, tools);
      });
      const routesOn = makeOnce((http: NodeHttpServer) => new ServerHttpRoutes(config, { http, service, environment }));
      const needs: [typeof Logger, typeof Telemetry] = [Logger, Telemetry];
      bind(HttpServer)
        .toResolvedValue((...given) => partsWith(...given).server, needs)
        .inSingletonScope();
      bind(HttpRoutes)
        .toResolvedValue((...given) => routesOn(partsWith(...given).server), needs)
        .inSingletonScope();
      if (bindMore !== undefined) {
        bind(bindMore.token)
          .toResolvedValue((...given) => bindMore.of(partsWith(...given).framework), needs)
          .inSingletonScope();
      }

      return {
        async start({ container, serving, defer }) {
          const { server } = partsWith(container.get(Logger), container.get(Telemetry));
          const started = new StartedServer(server, routesOn(server));
          defer(() => started[Symbol.dispose]());
          defer(() => server.close());
          if (serving) await server.listen();
          return started;
        },
      };
    },
  });
}
