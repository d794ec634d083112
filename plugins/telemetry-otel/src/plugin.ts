import { type Diagnosis, definePlugin, type Logger, silentTelemetry, Telemetry } from '@keelson/core';
import manifest from './manifest.js';
import type { TelemetryOtelOptions } from './options.js';
import { openSdk } from './otel-sdk.js';
import { OtelTelemetry } from './otel-telemetry.js';
import { type Settings, settingsOf } from './settings.js';

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
        warnOf(settings, logger);
        defer(async () => {
          const sentInTime = (await telemetry?.close(config.flushTimeoutMs)) ?? true;
          const failedExports = sdk?.watch.failures ?? 0;
          if (!sentInTime) logger.warn('not everything could be sent', { failedExports });
        });
        return { diagnose: () => [diagnosisOf(settings)] };
      },
    };
  },
});

function warnOf({ unusable }: Settings, logger: Logger): void {
  if (unusable.length > 0) {
    logger.warn('variables of OpenTelemetry ignored: their values are not usable', { variables: unusable });
  }
}

function diagnosisOf({ enabled, unusable }: Settings): Diagnosis {
  if (!enabled) return { name: 'sending', status: 'pass', output: 'Switched off: nothing is sent.' };
  if (unusable.length === 0) {
    return { name: 'sending', status: 'pass', output: 'A receiver is set; nothing was sent to test it.' };
  }
  return {
    name: 'sending',
    status: 'warn',
    output: `Ignored, because their values are not usable: ${unusable.join(', ')}.`,
    hint: 'Set these variables to valid values, or set the options of the plugin instead.',
  };
}
