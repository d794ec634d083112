import type { Facts } from '@keelson/core';
import type { DatabaseDriver } from './driver/driver.js';

type Place = Pick<DatabaseDriver, 'servers' | 'databaseName'>;

/** `db:5432/shop`, `a:5432,b:5432/shop`: no user and no password. Undefined for a database without a server. */
export function addressOf({ servers, databaseName }: Place): string | undefined {
  return servers === undefined ? undefined : `${servers.join(',')}/${databaseName}`;
}

export function addressFacts({ servers, databaseName }: Place): Facts {
  return servers === undefined ? {} : { servers, database: databaseName };
}
