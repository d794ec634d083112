import { type ServiceToken, serviceToken } from '@keelson/core';
import type { Options } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { DatabaseModel } from '../model.js';
import type { OrmDriver } from './orm.js';

/** How MikroORM connects by itself. */
export type OrmConnection = Pick<Options<AbstractSqlDriver>, 'clientUrl' | 'user' | 'password' | 'dbName'>;

/** What MikroORM needs to know of a database, without a connection. */
export interface OrmSource {
  readonly ormDriver: OrmDriver;
  readonly models: readonly DatabaseModel[];
  /** The table of applied migrations. */
  readonly tableName: string;
  readonly connection: () => OrmConnection;
}

export const OrmSource: ServiceToken<OrmSource> = serviceToken('@keelson/database/OrmSource');
