import { definePlugin, Logger, type ServiceToken, serviceToken } from '@keelson/core';
import type { BunyanLogger } from './bunyan-logger.js';
import { createLogger } from './create-logger.js';
import manifest from './manifest.js';
import type { LoggerBunyanOptions } from './options.js';

/** The logger itself: what is bound as `Logger` may stand behind others. */
const OwnLogger: ServiceToken<BunyanLogger> = serviceToken('@keelson/logger-bunyan/OwnLogger');

export default definePlugin<LoggerBunyanOptions>({
  ...manifest,
  register: ({ bind, config, service }) => {
    const logger = createLogger(config, service, process[config.stream]);
    bind(OwnLogger).toConstantValue(logger);
    bind(Logger).toConstantValue(logger);
  },
  reconfigure: ({ container, config, instance }) => {
    container.get(OwnLogger, instance === undefined ? undefined : { name: instance }).level = config.level;
  },
  // The stream stays open: what stops after the logger still has something to say.
  stop: ({ container }) => container.get(Logger).flush(),
});
