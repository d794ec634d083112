import { Credentials, defineManifest, HealthService, Logger, Metrics } from '@keelson/core';
import { type CommandOptions, commandOptions } from './options.js';

export default defineManifest<CommandOptions>({
  name: 'credentials-command',
  slot: 'credentials',
  contract: '^0.1.0',
  config: commandOptions,
  provides: [Credentials],
  optional: [HealthService, Logger, Metrics],
});
