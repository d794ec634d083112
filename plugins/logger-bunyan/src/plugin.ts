import { definePlugin, Logger } from '@keelson/core';
import { createLogger } from './create-logger.js';
import manifest from './manifest.js';
import type { LoggerBunyanOptions } from './options.js';

export default definePlugin<LoggerBunyanOptions>({
  ...manifest,
  register: ({ bind, config, service }) => {
    bind(Logger).toConstantValue(createLogger(config, service, process[config.stream]));
  },
  // The stream stays open: what stops after the logger still has something to say.
  stop: ({ container }) => container.get(Logger).flush(),
});
