import { defineManifest } from '@keelson/core';
import { DatabaseService, databaseUses } from '@keelson/database/contract';
import { optionsSchema, type PostgresqlOptions } from './options.js';

export default defineManifest<PostgresqlOptions>({
  name: 'database-postgresql',
  slot: 'database',
  contract: '^0.1.0',
  config: optionsSchema,
  provides: [DatabaseService],
  optional: databaseUses,
  diagnoses: true,
  capabilities: ['cancel-query', 'multi-connection', 'commit-resolution', 'copy', 'stream', 'listen'],
  startTimeoutMs: 330_000,
});
