import { Credentials, defineManifest, HealthService, Logger, Metrics } from '@keelson/core';
import { type FileOptions, fileOptions } from './options.js';

export default defineManifest<FileOptions>({
  name: 'credentials-file',
  slot: 'credentials',
  contract: '^0.1.0',
  config: fileOptions,
  provides: [Credentials],
  optional: [HealthService, Logger, Metrics],
});
