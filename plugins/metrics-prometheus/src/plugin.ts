import { definePlugin, HttpServer, Logger, Metrics, makeOnce, silentTelemetry, Telemetry } from '@keelson/core';
import { measureProcess } from '@keelson/core/metrics';
import manifest from './manifest.js';
import { metricsHandler } from './metrics-handler.js';
import type { MetricsPrometheusOptions } from './options.js';
import { PrometheusMetrics } from './prometheus-metrics.js';

export default definePlugin<MetricsPrometheusOptions>({
  ...manifest,

  register({ bind, config, service, key }) {
    const metricsWith = makeOnce(
      (logger: Logger, telemetry: Telemetry) =>
        new PrometheusMetrics({
          options: config,
          service,
          logger: logger.child({ plugin: key }),
          traceId: config.exemplars ? traceIdOf(telemetry) : undefined,
        }),
    );
    bind(Metrics).toResolvedValue(metricsWith, [Logger, Telemetry]).inSingletonScope();

    return {
      start({ container, instance, logger, serving, defer }) {
        const metrics = metricsWith(container.get(Logger), container.get(Telemetry));
        if (serving && config.process) {
          const measured = measureProcess(metrics);
          defer(() => measured[Symbol.dispose]());
        }
        // The others of the slot measure too, and are not served.
        if (serving && instance === undefined && container.isBound(HttpServer)) {
          serve(metrics, container.get(HttpServer), config, logger);
        }
        return { inspect: () => inspected(metrics) };
      },
    };
  },
});

function serve(metrics: PrometheusMetrics, http: HttpServer, config: MetricsPrometheusOptions, logger: Logger): void {
  const hasAdminPort = http.adminUrl !== undefined;
  if (!hasAdminPort && !config.public) {
    logger.warn('metrics are not served: the HTTP server has no admin port', {
      hint: 'Set http.admin.port, or metrics.public: true to serve them on the port of the API.',
    });
    return;
  }
  http.router(config.path, metricsHandler(metrics), { session: 'none', admin: hasAdminPort });
  logger.info('metrics are served', { url: `${http.adminUrl ?? http.url ?? ''}${config.path}` });
}

/**
 * The trace that runs, when it is recorded: an exemplar of another one would lead nowhere. Undefined where there is never a
 * trace, so that none is looked for.
 */
function traceIdOf(telemetry: Telemetry): (() => string | undefined) | undefined {
  if (telemetry === silentTelemetry) return undefined;
  return () => (telemetry.currentSpanId() === undefined ? undefined : telemetry.currentTraceId());
}

function inspected(metrics: PrometheusMetrics) {
  const { full, ...counts } = metrics.describe();
  const output = `${counts.instruments} instruments with ${counts.series} series.`;
  if (full.length === 0) return { facts: counts, findings: [{ name: 'series', status: 'pass', output } as const] };
  const hint = 'A label has too many values: find it, or raise metrics.maxSeries.';
  const warned = `Series beyond the limit are counted together: ${full.join(', ')}.`;
  return { facts: { ...counts, full }, findings: [{ name: 'series', status: 'warn', output: warned, hint } as const] };
}
