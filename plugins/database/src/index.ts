export type { BatchContext, BatchOptions, BatchProgress, BatchSource, BatchWork } from './batch/batch-options.js';
export { CurrentEntityManager, DatabaseService } from './database-service.js';
export { createDatabaseService, type DatabaseServiceParts } from './default-database-service.js';
export type {
  AcquireOptions,
  BatchOutcome,
  ChannelMessage,
  ConnectionStatus,
  DatabaseDriver,
  DiscardReason,
  DriverConnection,
  DriverListener,
  HostStats,
  OpenListenerOptions,
  PoolCounters,
  PoolStats,
  Row,
  Statement,
  StatementResult,
  TransactionLimits,
  TransactionOutcome,
} from './driver/driver.js';
export {
  type Conflicts,
  type DatabaseCapability,
  databaseCapabilities,
  type Engine,
  type EngineProduct,
  engineProducts,
  type Pooler,
  type Pooling,
  plainEngine,
  poolers,
  type WeakerPromise,
} from './driver/engine.js';
export { needsExtendedProtocol } from './driver/extended-protocol.js';
export { LastingNames, lastingQuestion } from './driver/lasting-names.js';
export { hasDefined, hasLeftState, leavesState } from './driver/lasting-state.js';
export { type Permit, type PermitCounters, Permits, type PermitsOptions } from './driver/permits.js';
export { misreads, valueFormats } from './driver/value-formats.js';
export { weakerPromises } from './driver/weaker-promises.js';
export { type DatabaseErrorCode, errorCodes } from './error-codes.js';
export { AmbiguousCommitError } from './errors/ambiguous-commit-error.js';
export { connectFailureOf } from './errors/connect-failure.js';
export {
  AcquireTimeoutError,
  ConnectionError,
  ConnectionLostError,
  DatabaseClosedError,
  OverloadedError,
} from './errors/connection-error.js';
export { EngineDifferentError } from './errors/engine-different-error.js';
export type { ConnectFailureKind } from './errors/failure-kind.js';
export { IdentityFixedError, IdentityInvalidError, IdentityRefusedError } from './errors/identity-errors.js';
export { isQueryError, type QueryErrorMatch } from './errors/is-query-error.js';
export { ChannelInvalidError, ListenFailedError, NotifyRefusedError } from './errors/listening-errors.js';
export { QueryError, type QueryErrorKind } from './errors/query-error.js';
export { reloadRefused } from './errors/reload-refused.js';
export {
  ConcurrentUseError,
  CopyRefusedError,
  EntityWithoutKeyError,
  FormatChangedError,
  IsolationUnsupportedError,
  NestedOptionsError,
  OutsideSessionError,
  SecondConnectionError,
  SessionAbortedError,
  SessionClosedError,
  SeveralStatementsError,
  TransactionByHandError,
  TransactionFailedError,
  UnsupportedError,
  WorkUndoneError,
} from './errors/session-errors.js';
export {
  dependsOnTypes,
  isConnectionLoss,
  isStalePlan,
  markOutdated,
  mayBeOutdated,
  severityOf,
  sqlStateOf,
  systemCodeOf,
} from './errors/sql-state.js';
export { translate } from './errors/translate.js';
export { ValidationError } from './errors/validation-error.js';
export type {
  ChannelEvent,
  ChannelHandler,
  GapReason,
  InvalidMessage,
  ListeningStats,
  ListenOptions,
  ListenSchemaOptions,
  PayloadSchema,
  Subscription,
} from './listening/listen-options.js';
export { measureOpenings } from './metrics.js';
export { migrateCommands } from './migrations/migrate-commands.js';
export type { AppliedMigration, MigrationStatus } from './migrations/migration-table.js';
export { DatabaseModel, type EntityDefinition, type MigrationClass } from './model.js';
export { type CommonDatabaseOptions, commonOptions, resolveCommonOptions } from './options.js';
export type { EntityManager } from './orm/entity-manager.js';
export type { OrmDriver } from './orm/orm.js';
export type { OrmSettings } from './orm/orm-settings.js';
export type { OrmConnection } from './orm/orm-source.js';
export { standIn } from './orm/stand-in.js';
export { type DatabasePluginParts, type DriverContext, databasePlugin } from './plugin.js';
export type { SchemaDifference, SchemaDifferenceKind, SchemaReport } from './schema/schema-report.js';
export type {
  DatabaseSession,
  LateSessionOptions,
  OpenSessionOptions,
  SessionOnDemand,
  SessionOptions,
  SessionWork,
} from './session/database-session.js';
export type { SessionIdentity } from './session/session-identity.js';
export type { DatabaseState, StateListener } from './state.js';
export type { StatementReport } from './statements/statement-log.js';
export type { StatementShape } from './statements/statement-shape.js';
export { type IsolationLevel, isolationLevels } from './transaction/isolation-levels.js';
