import { definePlugin, Logger } from '@keelson/core';
import { createLogger } from './create-logger.js';
import manifest from './manifest.js';
import type { LoggerBunyanOptions } from './options.js';

export default definePlugin<LoggerBunyanOptions>({
  ...manifest,
  register({ bind, config, service }) {
    const logger = createLogger(config, service, process[config.stream]);
    bind(Logger).toConstantValue(logger);
    return {
      start: () => ({
        reconfigure({ config: { level } }) {
          logger.level = level;
        },
        // The stream stays open: plugins that stop after the logger still write lines.
        stop: () => logger.flush(),
      }),
    };
  },
});
