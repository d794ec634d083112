import { Credentials, HealthService, Logger, Metrics, RetryPolicy, type ServiceToken, Telemetry } from '@keelson/core';

export { CurrentEntityManager, DatabaseService } from './database-service.js';
export { type DatabaseCapability, databaseCapabilities, engineProducts, poolers } from './driver/engine.js';
export { isQueryError, type QueryErrorMatch } from './errors/is-query-error.js';
export { translate } from './errors/translate.js';
export { DatabaseModel, type EntityDefinition, type MigrationClass } from './model.js';
export { type CommonDatabaseOptions, commonOptions } from './options.js';
export type { EntityManager } from './orm/entity-manager.js';
export type {
  DatabaseSession,
  LateSessionOptions,
  OpenSessionOptions,
  SessionOnDemand,
  SessionOptions,
  SessionWork,
} from './session/database-session.js';
export type { SessionIdentity } from './session/session-identity.js';
export { isolationLevels } from './transaction/isolation-levels.js';

/** The services that every database plugin uses when present: they start before the database and stop after it. */
export const databaseUses: readonly ServiceToken[] = [
  Credentials,
  HealthService,
  Logger,
  Metrics,
  RetryPolicy,
  Telemetry,
];
