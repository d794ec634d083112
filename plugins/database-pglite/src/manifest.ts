import { defineManifest } from '@keelson/core';
import { CurrentEntityManager, DatabaseService, databaseUses } from '@keelson/database/contract';
import { capabilities } from './capabilities.js';
import { missingFiles } from './missing-files.js';
import { optionsSchema, type PgliteOptions } from './options.js';

export default defineManifest<PgliteOptions>({
  name: 'database-pglite',
  slot: 'database',
  contract: '^0.1.0',
  config: optionsSchema,
  provides: [DatabaseService, CurrentEntityManager],
  optional: databaseUses,
  diagnoses: true,
  capabilities,
  startTimeoutMs: 330_000,
  check: () => missingFiles(import.meta.url),
});
