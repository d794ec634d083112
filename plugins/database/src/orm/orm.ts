import { isKeelsonError } from '@keelson/core';
import { type ForkOptions, MikroORM, type Options } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { Dialect } from 'kysely';
import { withOriginOf } from '../errors/fault-origin.js';
import type { DatabaseModel } from '../model.js';
import { inUndoneBlock } from '../transaction/block-scope.js';
import type { Identity } from '../transaction/identity.js';
import { keepEdgeValues } from './edge-values.js';
import type { EntityManager } from './entity-manager.js';
import { compareExactly } from './exact-comparison.js';
import { combinedSettings, type OrmSettings } from './orm-settings.js';
import { bindParameters } from './session-connection.js';
import { SessionEntityManager } from './session-entity-manager.js';
import { keepWholeArrays } from './whole-arrays.js';

/** MikroORM's own driver class for the database: `PostgreSqlDriver`, `PgliteDriver`. */
export type OrmDriver = NonNullable<Options<AbstractSqlDriver>['driver']>;

export interface OrmOptions {
  readonly ormDriver: OrmDriver;
  readonly dialect: Dialect;
  readonly databaseName: string;
  readonly models: readonly DatabaseModel[];
  /** The EntityManager of the current session: what `orm.em` stands for. */
  readonly currentEntityManager: () => EntityManager | undefined;
}

export type Orm = MikroORM<AbstractSqlDriver>;

/** Builds MikroORM over our connections. Opens none. */
export function createOrm(options: OrmOptions): Orm {
  const { models, ormDriver, dialect } = options;
  const entities = models.flatMap(model => model.entities);
  const settings = combinedSettings(models);
  const orm = new MikroORM<AbstractSqlDriver>({
    ...settings,
    driver: ormDriver,
    driverOptions: dialect,
    entityManager: SessionEntityManager,
    dbName: options.databaseName,
    entities: entities as NonNullable<Options<AbstractSqlDriver>['entities']>,
    discovery: { ...settings.discovery, warnWhenNoEntities: false },
    ensureDatabase: false,
    allowGlobalContext: false,
    context: () => options.currentEntityManager(),
    // MikroORM's lines hold SQL with values in it; ours are written where statements run.
    logger: () => {},
    debug: false,
  });
  letOwnErrorsThrough(orm);
  keepEdgeValues(orm.driver.getPlatform());
  keepWholeArrays(orm);
  compareExactly(orm);
  bindParameters(orm.driver.getConnection(), orm.driver.getPlatform(), settings.onQuery);
  markNestedBlocks(orm);
  forkQuietly(orm);
  if (changesTexts(settings)) leaveTextsToMikroOrm(orm);
  return orm;
}

const unbound = { useContext: false, disableContextResolution: true } as const;

/** With it, MikroORM keeps what it caches for one tenant from another. It is Keelson that sends it. */
function contextOf({ variables, role }: Identity): NonNullable<ForkOptions['session']> {
  return { variables: { ...variables }, ...(role !== undefined && { role }) };
}

/** The EntityManager of a new session, bound to none yet. */
export function forkOf(orm: Orm, identity: Identity | undefined): SessionEntityManager {
  const fork = orm.em.fork(identity === undefined ? unbound : { ...unbound, session: contextOf(identity) });
  if (!(fork instanceof SessionEntityManager)) throw new Error('bug: MikroORM has made another EntityManager');
  return fork;
}

/**
 * MikroORM would wrap errors of ours as if the server had sent them; inside a session, too, they are to be caught as such.
 * What it does wrap comes from where the wrapped error came from.
 */
function letOwnErrorsThrough(orm: Orm): void {
  const converter = orm.driver.getPlatform().getExceptionConverter();
  const convert = converter.convertException.bind(converter);
  Object.assign(converter, {
    convertException: (error: Parameters<typeof convert>[0]) =>
      isKeelsonError(error) ? error : withOriginOf(convert(error), error),
  });
}

function changesTexts({ onQuery, filters = {} }: OrmSettings): boolean {
  return onQuery !== undefined || Object.keys(filters).length > 0;
}

/** A text that may be another each time is not kept. */
function leaveTextsToMikroOrm({ em }: Orm): void {
  if (em instanceof SessionEntityManager) em.keepNoTexts();
}

/** Each fork sets an option twice, and each time MikroORM writes its colours to the environment of the process. */
function forkQuietly(orm: Orm): void {
  Object.assign(orm.config, { sync: () => {} });
}

/** Everything that MikroORM nests in a transaction, `em.transactional` included, passes here. */
function markNestedBlocks(orm: Orm): void {
  const connection = orm.driver.getConnection();
  const transactional: typeof connection.transactional = connection.transactional.bind(connection);
  connection.transactional = (work, options) =>
    options?.ctx === undefined ? transactional(work, options) : inUndoneBlock(() => transactional(work, options));
}
