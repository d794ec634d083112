import { definePlugin, type PluginContext, silentTelemetry, Telemetry } from '@keelson/core';
import { diagnoseTelemetry } from './diagnose.js';
import { loadedTooEarly } from './loaded-modules.js';
import manifest from './manifest.js';
import type { TelemetrySentryOptions } from './options.js';
import { initSentry, type SentryClient } from './sentry-client.js';
import { SentryTelemetry } from './sentry-telemetry.js';

interface Instrumented {
  readonly client: SentryClient;
  readonly tooEarly: readonly string[];
}

/** What `instrument` made of a configuration, until `register` binds it. */
const instrumented = new WeakMap<TelemetrySentryOptions, Instrumented>();

function instrument({ config, environment }: PluginContext<TelemetrySentryOptions>): Instrumented {
  const options = environment === undefined ? config : { environment, ...config };
  const made = { tooEarly: config.instrumentModules ? loadedTooEarly() : [], client: initSentry(options) };
  instrumented.set(config, made);
  return made;
}

export default definePlugin<TelemetrySentryOptions>({
  ...manifest,
  instrument: context => {
    if (context.config.enabled) instrument(context);
  },
  register: context => {
    const { bind, clock, config } = context;
    const { client } = instrumented.get(config) ?? (config.enabled ? instrument(context) : {});
    bind(Telemetry).toConstantValue(client === undefined ? silentTelemetry : new SentryTelemetry(client, clock));
  },
  start: ({ config, logger }) => {
    const modules = instrumented.get(config)?.tooEarly ?? [];
    if (modules.length > 0)
      logger.warn('loaded before the telemetry could hook them: spans of theirs will be missing', { modules });
  },
  diagnose: async ({ config }) => diagnoseTelemetry(config, instrumented.get(config)?.tooEarly ?? []),
  stop: async ({ config, container, logger }) => {
    const telemetry = container.get(Telemetry);
    if (!(telemetry instanceof SentryTelemetry)) return;
    const sent = await telemetry.close(config.flushTimeoutMs);
    const lost = instrumented.get(config)?.client.lostEnvelopes() ?? 0;
    if (!sent || lost > 0)
      logger.warn('not everything could be sent to Sentry', { lostEnvelopes: lost, sentInTime: sent });
  },
});
