import type { Facts } from '@keelson/core';
import { type IsolationLevel, isolationLevels } from '../transaction/isolation-levels.js';

/** What a database may be able to do beyond statements in transactions, each with its meaning. */
export const databaseCapabilities = [
  /** A running statement can be ended on the server. */
  'cancel',
  /** More than one connection at a time. */
  'multi-connection',
  /** The server reports the outcome of a transaction whose COMMIT was not answered. */
  'commit-lookup',
  /** All that a transaction writes is committed with its id: what the server says of the id holds for all of it. */
  'write-implies-id',
  'savepoints',
  /** Settings, temporary tables and the like stay with the connection after a transaction. */
  'session-state',
  /** A connection can be opened with the limits of its statements. */
  'startup-parameters',
  'prepared-statements',
  /** Loading in bulk: COPY ... FROM STDIN. */
  'copy',
  /** Reading with a cursor. */
  'stream',
  /** CREATE, ALTER and DROP are undone by a rollback. */
  'transactional-ddl',
  /** Advisory locks that shut others out. */
  'session-locks',
  /** The server itself ends what takes too long: a statement, a wait for a lock, a pause in a transaction. */
  'server-timeouts',
  /** A replica reports how far behind it is. */
  'replica-lag',
  'listen',
] as const;

export type DatabaseCapability = (typeof databaseCapabilities)[number];

export const engineProducts = [
  'postgresql',
  'aurora',
  'alloydb',
  'neon',
  'citus',
  'yugabytedb',
  'cockroachdb',
  'unknown',
] as const;
export type EngineProduct = (typeof engineProducts)[number];

export const poolers = ['pgbouncer', 'pgpool', 'rds-proxy', 'unknown'] as const;
/** What is between a service and its server. */
export type Pooler = (typeof poolers)[number];

/** How long a connection of the server is lent to one of its clients. */
export type Pooling = 'session' | 'transaction';

/** `normal`: conflicts (40001) are common, also between units of work that would not even block each other in PostgreSQL. */
export type Conflicts = 'rare' | 'normal';

/** How a promise of Keelson is weaker on this engine, as a sentence, and the finding that is the reason. */
export interface WeakerPromise {
  readonly promise: string;
  readonly why: string;
}

/** What a service talks to. One object for as long as nothing about it changes. */
export interface Engine {
  readonly product: EngineProduct;
  /** As the server gives it: `18.1`; empty before it was asked. */
  readonly version: string;
  /** Left out when nothing was found between the service and its server. */
  readonly pooler?: Pooler;
  /** With `pooler`, and only then. */
  readonly pooling?: Pooling;
  readonly capabilities: ReadonlySet<DatabaseCapability>;
  readonly isolationLevels: ReadonlySet<IsolationLevel>;
  readonly conflicts: Conflicts;
  readonly weaker: readonly WeakerPromise[];
}

/** For logs and reports: what is not there says more than what is. */
export function engineFacts(engine: Engine): Facts {
  const { product, version, pooler, pooling, capabilities, isolationLevels: levels, conflicts, weaker } = engine;
  return {
    product,
    ...(version !== '' && { version }),
    ...(pooler !== undefined && { pooler }),
    ...(pooling !== undefined && { pooling }),
    lacks: databaseCapabilities.filter(capability => !capabilities.has(capability)),
    isolationLevels: [...levels],
    conflicts,
    weaker: weaker.map(({ promise, why }) => `${promise} (${why})`),
  };
}

/** PostgreSQL itself with these capabilities: all of them unless given. */
export function plainEngine(capabilities: Iterable<DatabaseCapability> = databaseCapabilities): Engine {
  return {
    product: 'postgresql',
    version: '',
    capabilities: new Set(capabilities),
    isolationLevels: new Set(isolationLevels),
    conflicts: 'rare',
    weaker: [],
  };
}
