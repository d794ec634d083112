import { HealthService, Logger, Metrics, RetryPolicy, type ServiceToken, Telemetry } from '@keelson/core';

export type {
  DatabaseSession,
  EntityManager,
  OpenSessionOptions,
  SessionOptions,
  SessionWork,
} from './database-service.js';
export { DatabaseService } from './database-service.js';
export { translate } from './errors/translate.js';
export { DatabaseModel, type EntityDefinition, type MigrationClass } from './model.js';
export { type CommonDatabaseOptions, commonOptions } from './options.js';

/** What every database plugin uses when it is there, so that it is started before and stopped after. */
export const databaseUses: readonly ServiceToken[] = [HealthService, Logger, Metrics, RetryPolicy, Telemetry];
