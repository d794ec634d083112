import { definePlugin, type Logger, type PluginContext, silentTelemetry, Telemetry } from '@keelson/core';
import { diagnoseTelemetry } from './diagnose.js';
import { loadedTooEarly } from './loaded-modules.js';
import manifest from './manifest.js';
import type { TelemetrySentryOptions } from './options.js';
import { initSentry, type SentryHooks } from './sentry-client.js';
import { SentryTelemetry } from './sentry-telemetry.js';

/** The plugin with hooks of the service: `plugins: { telemetry: createTelemetrySentry({ beforeSend }) }`. */
export function createTelemetrySentry(hooks: SentryHooks = {}) {
  return definePlugin<TelemetrySentryOptions>({
    ...manifest,
    instrument(context) {
      const { enabled, instrumentModules } = context.config;
      const tooEarly = enabled && instrumentModules ? loadedTooEarly() : [];
      const client = enabled ? initSentry(optionsOf(context), hooks) : undefined;
      return {
        register({ bind, clock }) {
          const telemetry = client === undefined ? undefined : new SentryTelemetry(client, clock);
          bind(Telemetry).toConstantValue(telemetry ?? silentTelemetry);
          return {
            start({ config, logger, defer }) {
              if (tooEarly.length > 0) {
                const modules = { modules: tooEarly };
                logger.warn(
                  'modules loaded before the telemetry could hook them: their spans will be missing',
                  modules,
                );
              }
              defer(async () => {
                const sentInTime = (await telemetry?.close(config.flushTimeoutMs)) ?? true;
                warnOfLost(logger, sentInTime, client?.lostEnvelopes() ?? 0);
              });
              return { diagnose: () => diagnoseTelemetry(config, tooEarly) };
            },
          };
        },
      };
    },
  });
}

export default createTelemetrySentry();

function optionsOf({ config, environment }: PluginContext<TelemetrySentryOptions>): TelemetrySentryOptions {
  return environment === undefined ? config : { environment, ...config };
}

function warnOfLost(logger: Logger, sentInTime: boolean, lostEnvelopes: number): void {
  if (sentInTime && lostEnvelopes === 0) return;
  logger.warn('not everything could be sent to Sentry', { lostEnvelopes, sentInTime });
}
