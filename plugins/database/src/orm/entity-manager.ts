import type { SqlEntityManager } from '@mikro-orm/sql';

/** MikroORM's, on PostgreSQL. Inside a session it is a fork of its own, bound to the session's transaction. */
export type EntityManager = SqlEntityManager;
