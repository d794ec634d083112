import { databasePlugin } from '@keelson/database';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import manifest from './manifest.js';
import { PostgresqlDriver } from './postgresql-driver.js';

export { errorCodes } from './error-codes.js';
export { optionsSchema, type PostgresqlOptions } from './options.js';
export { PostgresqlDriver };

export default databasePlugin({
  manifest,
  ormDriver: PostgreSqlDriver,
  createDriver: (config, context) => new PostgresqlDriver(config, context),
  ormConnection: ({ url, user, password }) => ({
    clientUrl: String(Array.isArray(url) ? url[0] : url),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
  }),
  reconfigure: (driver, config, rereadFiles) => driver.reconfigure(config, rereadFiles),
});
