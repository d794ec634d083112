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
