import {
  type Clock,
  Credentials,
  Deadline,
  HealthService,
  type KeepProcess,
  Logger,
  Metrics,
  MigrateCommands,
  makeOnce,
  type Plugin,
  type PluginManifest,
  type RegisterContext,
  RetryPolicy,
  type ServiceToken,
  type StartContext,
  type StartedPlugin,
  Telemetry,
} from '@keelson/core';
import { CurrentEntityManager, DatabaseService } from './database-service.js';
import { createDatabaseService, type WithNotedStatements } from './default-database-service.js';
import type { DatabaseDriver } from './driver/driver.js';
import { poolCheck } from './health.js';
import { inspectDatabase } from './inspect.js';
import { measureOpenings } from './metrics.js';
import { migrateCommands } from './migrations/migrate-commands.js';
import { DatabaseModel } from './model.js';
import type { CommonDatabaseOptions } from './options.js';
import type { OrmDriver } from './orm/orm.js';
import { type OrmConnection, OrmSource } from './orm/orm-source.js';
import { standIn } from './orm/stand-in.js';
import { checkSchema } from './schema/check-schema.js';
import { statementOperations } from './statements/operations.js';

export interface DriverContext<Config = unknown> {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Where relative paths of the configuration start. */
  readonly directory: string;
  /** As that of a plugin: the options with their files as they are now. Left out when none comes from a file. */
  readonly rereadFiles?: (() => Promise<Config>) | undefined;
  /** Provides what to log in with. Left out: the options do. */
  readonly credentials?: Credentials | undefined;
  /** Is called when a connection was opened, with the time it took. Left out where that is not measured. */
  readonly onOpened?: ((durationMs: number) => void) | undefined;
  /** As that of a plugin: starts a process that outlives the restarts of `keelson dev`. Left out in any other run. */
  readonly keepProcess?: KeepProcess | undefined;
}

export interface DatabasePluginParts<
  Config extends CommonDatabaseOptions,
  Driver extends DatabaseDriver = DatabaseDriver,
> {
  readonly manifest: PluginManifest<Config>;
  readonly ormDriver: OrmDriver;
  /** Makes the driver. Connects to nothing. */
  readonly createDriver: (config: Config, context: DriverContext<Config>) => Driver;
  /** How MikroORM's own command line connects. Default: it does not. */
  readonly ormConnection?: (config: Config, directory: string) => OrmConnection;
  /** Applies the options that are reloadable, or throws and keeps the old ones. Left out when none is. */
  readonly reconfigure?: (driver: Driver, config: Config, rereadFiles?: () => Promise<Config>) => void;
}

/** Finds the services of others; the container does, and so does what Inversify resolves a binding with. */
interface Services {
  get<T>(token: ServiceToken<T>): T;
  getAll<T>(token: ServiceToken<T>, options: { readonly optional: true; readonly name?: string }): T[];
}

/** The plugin of a database driver: all but the driver is the same for each. */
export function databasePlugin<Config extends CommonDatabaseOptions, Driver extends DatabaseDriver>(
  parts: DatabasePluginParts<Config, Driver>,
): Plugin<Config> {
  return {
    ...parts.manifest,
    diagnoses: true,
    conformance: async () => (await import('./testing/plugin-conformance.js')).databasePluginConformance,
    register(context) {
      const madeWith = makeOnce((services: Services) => createDatabase(context, parts, services));
      const databaseWith = (services: Services) => madeWith(services).database;
      context.bind(DatabaseService).toDynamicValue(databaseWith).inSingletonScope();
      context
        .bind(CurrentEntityManager)
        .toDynamicValue(services => standIn(() => databaseWith(services).currentSession()))
        .inSingletonScope();
      context
        .bind(OrmSource)
        .toDynamicValue(services => ormSource(context, parts, services))
        .inSingletonScope();
      context
        .bind(MigrateCommands)
        .toDynamicValue(services => migrateCommands(databaseWith(services), context.directory))
        .inSingletonScope();
      return {
        async start(running) {
          const { database, driver } = madeWith(running.container);
          const started = await startDatabase(database, running);
          const { reconfigure } = parts;
          if (reconfigure === undefined) return started;
          return { ...started, reconfigure: ({ config, rereadFiles }) => reconfigure(driver, config, rereadFiles) };
        },
      };
    },
  };
}

function ormSource<Config extends CommonDatabaseOptions>(
  { config, directory, instance }: RegisterContext<Config>,
  { ormDriver, ormConnection }: Pick<DatabasePluginParts<Config>, 'ormDriver' | 'ormConnection'>,
  services: Services,
): OrmSource {
  const models = services.getAll(DatabaseModel, { optional: true }).filter(model => model.database === instance);
  const { tableName } = config.migrations;
  return { ormDriver, models, tableName, connection: () => ormConnection?.(config, directory) ?? {} };
}

async function startDatabase<Config extends CommonDatabaseOptions>(
  database: DatabaseService & WithNotedStatements,
  { container, config, clock, signal, logger, key, serving, waitingFor, defer }: StartContext<Config>,
): Promise<StartedPlugin<Config>> {
  defer(() => database.disconnect());
  signal.addEventListener('abort', () => void database.disconnect(), { once: true });
  waitingFor(`a connection${database.address === undefined ? '' : ` to ${database.address}`}`);
  await database.connect({ asIs: !serving });
  const running: StartedPlugin<Config> = {
    diagnose: async ({ signal }) => {
      const { diagnoseDatabase } = await import('./diagnose.js');
      return diagnoseDatabase({ database, options: config, clock, signal });
    },
    inspect: () => inspectDatabase(database),
    operations: statementOperations<Config>(database, () => database.notedStatements),
    drain: async () => void (await database.pauseListening(Deadline.after(config.closeTimeoutMs, clock))),
  };
  // A tool that only asks gets to see the tables as they are.
  if (!serving) return running;
  if (config.migrations.atStart) {
    waitingFor('its migrations');
    const applied = await database.migrate();
    if (applied.length > 0) logger.info('migrations applied', { count: applied.length, names: applied });
  }
  waitingFor('the comparison of its entities with the tables');
  await checkSchema(database, config.schema.validateAtStart, logger);
  const name = key.replace('/', '-');
  const checks = [
    { name, check: (probe: AbortSignal) => database.health(probe) },
    poolCheck(`${name}-pool`, () => database.stats()),
  ].map(check => container.get(HealthService).register(check));
  defer(() => {
    for (const check of checks) check[Symbol.dispose]();
  });
  return running;
}

function createDatabase<Config extends CommonDatabaseOptions, Driver extends DatabaseDriver>(
  { config, rereadFiles, clock, directory, environment, instance, key, keepProcess }: RegisterContext<Config>,
  { ormDriver, createDriver }: DatabasePluginParts<Config, Driver>,
  services: Services,
): { readonly database: DatabaseService & WithNotedStatements; readonly driver: Driver } {
  const logger = services.get(Logger).child({ plugin: key });
  const models = services.getAll(DatabaseModel, { optional: true }).filter(model => model.database === instance);
  // `database/reporting` logs in with `credentials/reporting`, `database` with `credentials`.
  const named = instance === undefined ? {} : { name: instance };
  const [credentials] = services.getAll(Credentials, { optional: true, ...named });
  const metrics = services.get(Metrics);
  const onOpened = measureOpenings(metrics, key);
  const driver = createDriver(config, { logger, clock, directory, rereadFiles, credentials, onOpened, keepProcess });
  const database = createDatabaseService({
    driver,
    ormDriver,
    models,
    options: config,
    retry: services.get(RetryPolicy),
    telemetry: services.get(Telemetry),
    metrics,
    logger,
    clock,
    target: key,
    environment,
  });
  return { database, driver };
}
