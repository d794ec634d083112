import { resolve } from 'node:path';
import { databasePlugin } from '@keelson/database';
import { PgliteDriver as MikroOrmPgliteDriver } from '@mikro-orm/pglite';
import manifest from './manifest.js';
import { inMemory } from './options.js';
import { PgliteDriver } from './pglite-driver.js';

export { errorCodes } from './error-codes.js';
export { optionsSchema, type PgliteOptions } from './options.js';
export { PgliteDriver };

export default databasePlugin({
  manifest,
  ormDriver: MikroOrmPgliteDriver,
  createDriver: (config, context) => new PgliteDriver(config, context),
  ormConnection: ({ dataDir }, directory) => ({
    dbName: dataDir === inMemory ? inMemory : resolve(directory, dataDir),
  }),
});
