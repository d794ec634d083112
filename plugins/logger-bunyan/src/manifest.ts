import { defineManifest, Logger } from '@keelson/core';
import { type LoggerBunyanOptions, loggerBunyanOptions } from './options.js';

export default defineManifest<LoggerBunyanOptions>({
  name: 'logger-bunyan',
  slot: 'logger',
  config: loggerBunyanOptions,
  provides: [Logger],
});
