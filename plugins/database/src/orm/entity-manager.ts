import { helper, Utils } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';

/** MikroORM's, on PostgreSQL. Inside a session it is a fork of its own, bound to the session's transaction. */
export type EntityManager = SqlEntityManager;

/** Nothing was loaded or referred to, so nothing can be dirty, and nothing waits to be stored or removed. */
export function hasNoWork(em: EntityManager): boolean {
  const work = em.getUnitOfWork();
  return work.getIdentityMap().keys().length + work.getPersistStack().size + work.getRemoveStack().size === 0;
}

/** A commit of it would send nothing and call no code of the service: nothing has changed, and no subscriber listens. */
export function hasNothingToCommit(em: EntityManager, readOnly: boolean): boolean {
  if (em.getEventManager().getSubscribers().size > 0) return false;
  return readOnly ? !hasUnflushedWork(em) : hasNoWork(em);
}

/** Something waits to be stored or removed by the next flush. */
export function hasUnstored(em: EntityManager): boolean {
  const work = em.getUnitOfWork();
  return work.getPersistStack().size + work.getRemoveStack().size > 0;
}

/** An entity was created, changed or removed since the last flush. */
export function hasUnflushedWork(em: EntityManager): boolean {
  const work = em.getUnitOfWork(false);
  if (work.getPersistStack().size + work.getRemoveStack().size > 0) return true;
  const entities = work.getIdentityMap().values();
  if (entities.every(entity => isAsLoaded(em, entity))) return false;
  work.computeChangeSets();
  return work.getChangeSets().length + work.getCollectionUpdates().length > 0;
}

/** False also where MikroORM has to search: what is not loaded yet, and what may have collections or refer to others. */
function isAsLoaded(em: EntityManager, entity: object): boolean {
  const { __meta: meta, __originalEntityData: loaded, __initialized: isInitialized } = helper(entity);
  if (meta.relations.length > 0 || loaded === undefined || !isInitialized) return false;
  const comparator = em.getComparator();
  return !Utils.hasObjectKeys(comparator.diffEntities(meta.class, loaded, comparator.prepareEntity(entity)));
}
