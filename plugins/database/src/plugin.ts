import {
  type Clock,
  HealthService,
  Logger,
  Metrics,
  MigrateCommands,
  type Plugin,
  type PluginManifest,
  type RegisterContext,
  RetryPolicy,
  Telemetry,
} from '@keelson/core';
import { DatabaseService } from './database-service.js';
import { createDatabaseService } from './default-database-service.js';
import { diagnoseDatabase } from './diagnose.js';
import type { DatabaseDriver } from './driver/driver.js';
import { inspectDatabase } from './inspect.js';
import { migrateCommands } from './migrations/migrate-commands.js';
import { DatabaseModel } from './model.js';
import type { CommonDatabaseOptions } from './options.js';
import type { OrmDriver } from './orm/orm.js';
import { checkSchema } from './schema/check-schema.js';

export interface DriverContext {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Where relative paths of the configuration start. */
  readonly directory: string;
}

export interface DatabasePluginParts<Config extends CommonDatabaseOptions> {
  readonly manifest: PluginManifest<Config>;
  readonly ormDriver: OrmDriver;
  /** Makes the driver. Connects to nothing. */
  readonly createDriver: (config: Config, context: DriverContext) => DatabaseDriver;
}

/** The plugin of a database driver: all but the driver is the same for each. */
export function databasePlugin<Config extends CommonDatabaseOptions>(
  parts: DatabasePluginParts<Config>,
): Plugin<Config> {
  return {
    ...parts.manifest,
    conformance: async () => (await import('./testing/plugin-conformance.js')).databasePluginConformance,
    register: context => bindService(context, parts),
    async start({ container, config, instance, signal, logger, key, serving, waitingFor }) {
      const database = container.get<DatabaseService>(DatabaseService, named(instance));
      signal.addEventListener('abort', () => void database.disconnect(), { once: true });
      waitingFor(`a connection${database.address === undefined ? '' : ` to ${database.address}`}`);
      await database.connect();
      // A tool that only asks gets to see the tables as they are.
      if (!serving) return;
      if (config.migrations.atStart) {
        waitingFor('its migrations');
        const applied = await database.migrate();
        logger.info('migrations applied', { count: applied.length, names: applied });
      }
      waitingFor('the comparison of its entities with the tables');
      await checkSchema(database, config.schema.validateAtStart, logger);
      container.get(HealthService).register({
        name: key.replace('/', '-'),
        check: probe => database.health(probe),
      });
    },
    diagnose: ({ container, instance, config, clock, signal }) =>
      diagnoseDatabase({
        database: container.get<DatabaseService>(DatabaseService, named(instance)),
        options: config,
        clock,
        signal,
      }),
    inspect: ({ container, instance }) =>
      inspectDatabase(container.get<DatabaseService>(DatabaseService, named(instance))),
    async stop({ container, instance }) {
      await container.get<DatabaseService>(DatabaseService, named(instance)).disconnect();
    },
  };
}

function bindService<Config extends CommonDatabaseOptions>(
  { bind, config, clock, directory, instance, key }: RegisterContext<Config>,
  { ormDriver, createDriver }: DatabasePluginParts<Config>,
): void {
  bind(DatabaseService)
    .toDynamicValue(({ get, getAll }) => {
      const logger = get(Logger).child({ plugin: key });
      const models = getAll(DatabaseModel, { optional: true }).filter(model => model.database === instance);
      return createDatabaseService({
        driver: createDriver(config, { logger, clock, directory }),
        ormDriver,
        models,
        options: config,
        retry: get(RetryPolicy),
        telemetry: get(Telemetry),
        metrics: get(Metrics),
        logger,
        clock,
        target: key,
      });
    })
    .inSingletonScope();
  bind(MigrateCommands)
    .toDynamicValue(({ get }) => migrateCommands(get<DatabaseService>(DatabaseService, named(instance)), directory))
    .inSingletonScope();
}

function named(instance: string | undefined): { name: string } | undefined {
  return instance === undefined ? undefined : { name: instance };
}
