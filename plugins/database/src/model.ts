import { type ServiceToken, serviceToken } from '@keelson/core';
import type { EntitySchema } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import type { OrmSettings } from './orm/orm-settings.js';

/**
 * What a plugin brings to a database. Bound any number of times, by any plugin, in `register`:
 * `bind(DatabaseModel).toConstantValue({ entities: [Order], migrations: [CreateOrders] })`.
 */
export interface DatabaseModel {
  /** Entities made with `defineEntity`, or decorated classes. */
  readonly entities: readonly EntityDefinition[];
  /**
   * In the order in which they are to run, by the name under which each is recorded: `{ CreateOrders, AddPayments }`. In a
   * list, the name of each is the name of its class; use an object in a service that is bundled, because a minifier
   * changes the names of classes.
   */
  readonly migrations?: readonly MigrationClass[] | Readonly<Record<string, MigrationClass>>;
  /** Options of MikroORM itself. Those of all models of a database are combined. */
  readonly orm?: OrmSettings;
  /** The instance of the database slot they belong to: `reporting` for `database/reporting`. Default: the slot's own. */
  readonly database?: string;
}

export type EntityDefinition = EntitySchema | { readonly meta: unknown } | (new (...args: never[]) => object);
export type MigrationClass = new (...args: ConstructorParameters<typeof Migration>) => Migration;

export const DatabaseModel: ServiceToken<DatabaseModel> = serviceToken('@keelson/database/DatabaseModel');
