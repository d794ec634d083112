import { definePlugin } from '@keelson/core';
import manifest from './manifest.js';

export default definePlugin({
  ...manifest,
  start({ config, logger }) {
    logger.info(config.greeting);
    return {
      stop() {
        logger.info('goodbye');
      },
    };
  },
});
