import { defineManifest } from '@keelson/core';
import { CurrentEntityManager, DatabaseService, databaseCapabilities, databaseUses } from '@keelson/database/contract';
import { optionsSchema, type PostgresqlOptions } from './options.js';

export default defineManifest<PostgresqlOptions>({
  name: 'database-postgresql',
  slot: 'database',
  contract: '^0.1.0',
  config: optionsSchema,
  provides: [DatabaseService, CurrentEntityManager],
  optional: databaseUses,
  diagnoses: true,
  // What the server or a pooler lacks of these is found when it connects.
  capabilities: databaseCapabilities,
  startTimeoutMs: 330_000,
});
