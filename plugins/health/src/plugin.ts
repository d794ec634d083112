import { definePlugin, HealthService, HttpServer, Logger, Metrics, makeOnce, Telemetry } from '@keelson/core';
import { HealthEngine } from './health-engine.js';
import manifest from './manifest.js';
import type { HealthOptions } from './options.js';
import { mountProbes } from './probe-handler.js';
import { processChecks } from './process-checks.js';

export default definePlugin<HealthOptions>({
  ...manifest,

  register({ bind, config, clock, key, lifecycle }) {
    const engineWith = makeOnce(
      (logger: Logger, telemetry: Telemetry) =>
        new HealthEngine(config, { clock, lifecycle, logger: logger.child({ plugin: key }), telemetry }),
    );
    bind(HealthService).toResolvedValue(engineWith, [Logger, Telemetry]).inSingletonScope();

    return {
      async start({ container, instance, directory, logger, defer }) {
        const engine = engineWith(container.get(Logger), container.get(Telemetry));
        defer(() => engine[Symbol.dispose]());
        // The probes report the engine of the slot itself.
        if (instance === undefined && container.isBound(HttpServer)) {
          mountProbes(container.get(HttpServer), container.get(HealthService), config);
        }
        const own = processChecks(config.process, { clock, directory });
        defer(() => own[Symbol.dispose]());
        for (const check of own.checks) engine.register(check);
        const metrics = container.get(Metrics);
        if (instance === undefined && metrics.silent !== true) {
          const { measureHealth } = await import('./health-metrics.js');
          const measured = measureHealth(metrics, container.get(HealthService));
          defer(() => measured[Symbol.dispose]());
        }
        return {
          ready() {
            const unused = [...engine.unusedOverrides(), ...engine.unusedGroupMembers()];
            if (unused.length === 0) return;
            logger.warn('health configuration names unregistered checks', { checks: unused });
          },
        };
      },
    };
  },
});
