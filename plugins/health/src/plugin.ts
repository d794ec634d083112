import { definePlugin, HealthService, HttpServer, Logger, type ProbeKind, Telemetry } from '@keelson/core';
import { HealthEngine, HealthEngineToken } from './health-engine.js';
import manifest from './manifest.js';
import type { HealthOptions } from './options.js';
import { probeHandler, probePaths } from './probe-handler.js';

const probeKinds: readonly ProbeKind[] = ['live', 'ready', 'startup'];

export default definePlugin<HealthOptions>({
  ...manifest,

  register({ bind, config, clock, key, lifecycle }) {
    bind(HealthEngineToken)
      .toResolvedValue(
        (logger: Logger, telemetry: Telemetry) =>
          new HealthEngine(config, { clock, lifecycle, logger: logger.child({ plugin: key }), telemetry }),
        [Logger, Telemetry],
      )
      .inSingletonScope();
    bind(HealthService).toService(HealthEngineToken);
  },

  start({ container, config }) {
    if (!container.isBound(HttpServer)) return;
    const http = container.get(HttpServer);
    const health = container.get(HealthService);
    for (const kind of probeKinds) {
      http.router(probePaths[kind], probeHandler(kind, health, config), { session: 'none' });
    }
  },

  ready({ container, logger }) {
    const unused = container.get(HealthEngineToken).unusedOverrides();
    if (unused.length === 0) return;
    logger.warn('The configuration of health names checks that nothing has registered', { checks: unused });
  },

  stop({ container }) {
    container.get(HealthEngineToken)[Symbol.dispose]();
  },
});
