import { definePlugin, silentTelemetry, Telemetry } from '@keelson/core';
import { diagnosisOf, warnOfUnusable } from '@keelson/otlp';
import manifest from './manifest.js';
import type { TelemetryOtelOptions } from './options.js';
import { openSdk } from './otel-sdk.js';
import { OtelTelemetry } from './otel-telemetry.js';
import { settingsOf } from './settings.js';

export default definePlugin<TelemetryOtelOptions>({
  ...manifest,
  register({ bind, config, clock, service, environment }) {
    const settings = settingsOf(config, process.env);
    const sdk = settings.enabled ? openSdk(config, settings, { service, environment }, clock) : undefined;
    const telemetry = sdk && new OtelTelemetry(sdk, config, clock);
    bind(Telemetry).toConstantValue(telemetry ?? silentTelemetry);
    return {
      start({ logger, defer }) {
        sdk?.watch.logTo(logger);
        warnOfUnusable(settings.unusable, logger);
        defer(async () => {
          const { flushTimeoutMs } = config;
          const sentInTime = (await telemetry?.close(flushTimeoutMs)) ?? true;
          const failedExports = sdk?.watch.failures ?? 0;
          if (!sentInTime) logger.warn('not all telemetry was sent in time', { flushTimeoutMs, failedExports });
        });
        return { diagnose: () => [diagnosisOf(settings.enabled, settings.unusable)] };
      },
    };
  },
});
