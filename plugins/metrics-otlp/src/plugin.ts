import { definePlugin, Metrics, silentMetrics } from '@keelson/core';
import { measureProcess } from '@keelson/core/metrics';
import { diagnosisOf, warnOfUnusable } from '@keelson/otlp';
import manifest from './manifest.js';
import type { MetricsOtlpOptions } from './options.js';
import { OtlpMetrics } from './otlp-metrics.js';
import { settingsOf } from './settings.js';

export default definePlugin<MetricsOtlpOptions>({
  ...manifest,
  register({ bind, config, clock, service, environment }) {
    const settings = settingsOf(config, process.env);
    const facts = { service, environment };
    const metrics = settings.enabled ? new OtlpMetrics({ options: config, settings, facts, clock }) : undefined;
    bind(Metrics).toConstantValue(metrics ?? silentMetrics);
    return {
      start({ logger, serving, defer }) {
        warnOfUnusable(settings.unusable, logger);
        const diagnose = () => [diagnosisOf(settings.enabled, settings.unusable)];
        if (metrics === undefined) return { diagnose };
        metrics.logTo(logger);
        if (serving && config.process) {
          const measured = measureProcess(metrics);
          defer(() => measured[Symbol.dispose]());
        }
        // Runs first: the last export still reads them.
        defer(async () => {
          const { flushTimeoutMs } = config;
          const sentInTime = await metrics.close(flushTimeoutMs);
          const failedExports = metrics.failures;
          if (!sentInTime) logger.warn('not all metrics were sent in time', { flushTimeoutMs, failedExports });
        });
        return { diagnose };
      },
    };
  },
});
