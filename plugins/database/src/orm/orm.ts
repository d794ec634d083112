import { isKeelsonError } from '@keelson/core';
import { MikroORM, type Options } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { Dialect } from 'kysely';
import type { DatabaseModel } from '../model.js';
import { inUndoneBlock } from '../transaction/block-scope.js';
import type { EntityManager } from './entity-manager.js';

/** MikroORM's own driver class for the database: `PostgreSqlDriver`, `PgliteDriver`. */
export type OrmDriver = NonNullable<Options<AbstractSqlDriver>['driver']>;

export interface OrmOptions {
  readonly ormDriver: OrmDriver;
  readonly dialect: Dialect;
  /** MikroORM's migrator creates a database that it does not find, so it must know the true name. */
  readonly databaseName: string;
  readonly models: readonly DatabaseModel[];
  readonly migrationsTable: string;
  /** The EntityManager of the current session: what `orm.em` stands for. */
  readonly currentEntityManager: () => EntityManager | undefined;
}

export type Orm = MikroORM<AbstractSqlDriver>;

/** Builds MikroORM over our connections. Opens none. */
export function createOrm(options: OrmOptions): Orm {
  const { models, ormDriver, dialect } = options;
  const entities = models.flatMap(model => model.entities);
  const orm = new MikroORM<AbstractSqlDriver>({
    driver: ormDriver,
    driverOptions: dialect,
    dbName: options.databaseName,
    entities: entities as NonNullable<Options<AbstractSqlDriver>['entities']>,
    discovery: { warnWhenNoEntities: false },
    ensureDatabase: false,
    allowGlobalContext: false,
    context: () => options.currentEntityManager(),
    extensions: [Migrator],
    migrations: {
      migrationsList: models.flatMap(model => [...(model.migrations ?? [])]).map(named),
      tableName: options.migrationsTable,
      transactional: true,
      allOrNothing: true,
      disableForeignKeys: false,
      snapshot: false,
      silent: true,
    },
    // MikroORM's lines hold SQL with values in it; ours are written where statements run.
    logger: () => {},
    debug: false,
  });
  letOwnErrorsThrough(orm);
  markNestedBlocks(orm);
  return orm;
}

/** MikroORM would wrap errors of ours as if the server had sent them; inside a session, too, they are to be caught as such. */
function letOwnErrorsThrough(orm: Orm): void {
  const converter = orm.driver.getPlatform().getExceptionConverter();
  const convert = converter.convertException.bind(converter);
  Object.assign(converter, {
    convertException: (error: Parameters<typeof convert>[0]) => (isKeelsonError(error) ? error : convert(error)),
  });
}

/** Everything that MikroORM nests in a transaction, `em.transactional` included, passes here. */
function markNestedBlocks(orm: Orm): void {
  const connection = orm.driver.getConnection();
  const transactional: typeof connection.transactional = connection.transactional.bind(connection);
  connection.transactional = (work, options) =>
    options?.ctx === undefined ? transactional(work, options) : inUndoneBlock(() => transactional(work, options));
}

function named<T extends { readonly name: string }>(migration: T): { name: string; class: T } {
  return { name: migration.name, class: migration };
}
