import {
  definePlugin,
  HealthService,
  HttpServer,
  Logger,
  type ProbeKind,
  type RunContext,
  Telemetry,
} from '@keelson/core';
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

  start({ container, config, instance }) {
    // The probes tell of the service, whose engine is the slot's own.
    if (instance !== undefined || !container.isBound(HttpServer)) return;
    const http = container.get(HttpServer);
    const health = container.get(HealthService);
    for (const kind of probeKinds) {
      http.router(probePaths[kind], probeHandler(kind, health, config), { session: 'none' });
    }
  },

  ready(context) {
    const unused = engineOf(context).unusedOverrides();
    if (unused.length === 0) return;
    context.logger.warn('The configuration of health names checks that nothing has registered', { checks: unused });
  },

  stop(context) {
    engineOf(context)[Symbol.dispose]();
  },
});

function engineOf({ container, instance }: RunContext<HealthOptions>): HealthEngine {
  return container.get(HealthEngineToken, instance === undefined ? undefined : { name: instance });
}
