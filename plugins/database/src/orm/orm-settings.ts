import { KeelsonError } from '@keelson/core';
import type { Options } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { DatabaseErrorCode } from '../error-codes.js';

/** The options of MikroORM that a service may set. Connections, transactions and logs belong to Keelson. */
export type OrmSettings = Partial<
  Pick<
    Options<AbstractSqlDriver>,
    | 'assign'
    | 'discovery'
    | 'embeddables'
    | 'filters'
    | 'filtersOnRelations'
    | 'findExactlyOneOrFailHandler'
    | 'findOneOrFailHandler'
    | 'forceEntityConstructor'
    | 'forceUndefined'
    | 'ignoreUndefinedInQuery'
    | 'loadStrategy'
    | 'metadataCache'
    | 'metadataProvider'
    | 'namingStrategy'
    | 'onQuery'
    | 'serialization'
    | 'subscribers'
    | 'validateRequired'
  >
>;

/**
 * Combines the options of all models of a database: subscribers of all, filters of all, one `onQuery` after the other.
 *
 * @throws KeelsonError DATABASE_MODEL_CONFLICT when two models set another option, or a filter, differently.
 */
export function combinedSettings(models: readonly { readonly orm?: OrmSettings }[]): OrmSettings {
  return models.reduce<OrmSettings>((all, { orm }) => (orm === undefined ? all : combined(all, orm)), {});
}

function combined(one: OrmSettings, other: OrmSettings): OrmSettings {
  const { onQuery: first, subscribers = [], filters = {}, ...rest } = one;
  const { onQuery: second, subscribers: moreSubscribers = [], filters: moreFilters = {}, ...moreRest } = other;
  assertAgree(rest, moreRest, key => key);
  assertAgree(filters, moreFilters, key => `filters.${key}`);
  const onQuery = inTurn(first, second);
  return {
    ...rest,
    ...moreRest,
    subscribers: [...subscribers, ...moreSubscribers],
    filters: { ...filters, ...moreFilters },
    ...(onQuery !== undefined && { onQuery }),
  };
}

function inTurn(first: OrmSettings['onQuery'], second: OrmSettings['onQuery']): OrmSettings['onQuery'] {
  if (first === undefined || second === undefined) return first ?? second;
  return (sql, params) => second(first(sql, params), params);
}

function assertAgree(one: object, other: object, nameOf: (key: string) => string): void {
  for (const [key, value] of Object.entries(other)) {
    if (!Object.hasOwn(one, key) || Reflect.get(one, key) === value) continue;
    const code: DatabaseErrorCode = 'DATABASE_MODEL_CONFLICT';
    throw new KeelsonError({
      code,
      message: `Two models of one database set the option ${nameOf(key)} of MikroORM differently.`,
      hint: `Set ${nameOf(key)} in one DatabaseModel of this database.`,
      facts: { option: nameOf(key) },
    });
  }
}
