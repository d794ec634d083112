import { defineManifest, Logger } from '@keelson/core';
import { type LoggerPinoOptions, loggerPinoOptions } from './options.js';

export default defineManifest<LoggerPinoOptions>({
  name: 'logger-pino',
  slot: 'logger',
  config: loggerPinoOptions,
  provides: [Logger],
});
