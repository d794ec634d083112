import { Kernel, type KernelOptions } from '@keelson/core';
import type { MigrationObject, Options } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { namedMigrations } from './migrations/named-migrations.js';
import { combinedSettings } from './orm/orm-settings.js';
import { OrmSource } from './orm/orm-source.js';

export interface OrmConfigurationOptions extends Pick<KernelOptions, 'environment' | 'variables' | 'overrides'> {
  /** The configuration of the service. Default `keelson.yaml` in the working directory. */
  readonly config?: string;
  /** The name of a further instance: `reporting` for `database/reporting`. */
  readonly database?: string;
}

/**
 * Returns the configuration of MikroORM for a database of a service: its driver and address, its entities and migrations in
 * their order, its naming strategy and all else that models set. For the file `mikro-orm.config.js` of the command line
 * `mikro-orm`, which connects by itself, past the sessions of Keelson.
 *
 * Plans the service and registers its plugins; starts none and connects to nothing. Contains the password of the database.
 *
 * @throws PlanError for a configuration with problems; what a plugin throws in its step `register`.
 */
export async function ormConfiguration(
  options: OrmConfigurationOptions = {},
): Promise<Partial<Options<AbstractSqlDriver>>> {
  const { config = 'keelson.yaml', database, ...others } = options;
  await using kernel = await Kernel.start({ config, ...others, only: () => false });
  const source = kernel.container.get(OrmSource, database === undefined ? undefined : { name: database });
  const { ormDriver, models, tableName, connection } = source;
  const migrationsList: MigrationObject[] = namedMigrations(models).map(({ name, migration }) => ({
    name,
    class: migration,
  }));
  return {
    ...combinedSettings(models),
    driver: ormDriver,
    ...connection(),
    entities: models.flatMap(({ entities }) => entities) as NonNullable<Options<AbstractSqlDriver>['entities']>,
    migrations: { tableName, migrationsList, snapshot: false },
  };
}
