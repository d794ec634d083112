import { helper } from '@mikro-orm/core';
import type { EntityManager } from './entity-manager.js';
import { keepLateChanges } from './late-changes.js';

/**
 * Gives `em` back, which from now on keeps for its next flush what is created or removed while one runs; MikroORM
 * forgets it when that flush ends. So does all that is forked from it.
 */
export function keepLateWork(em: EntityManager): EntityManager {
  const fork = em.fork.bind(em);
  em.fork = options => keepLateWork(fork(options));
  keepLateWorkOf(em.getUnitOfWork(false));
  keepLateChanges(em, () => {});
  return em;
}

function keepLateWorkOf(work: ReturnType<EntityManager['getUnitOfWork']>): void {
  const persist: typeof work.persist = work.persist.bind(work);
  const remove: typeof work.remove = work.remove.bind(work);
  const commit = work.commit.bind(work);
  const clear = work.clear.bind(work);
  const computeChangeSets = work.computeChangeSets.bind(work);
  const late = new Set<object>();
  let flushing = false;

  work.persist = (entity, visited, options) => {
    if (flushing) late.add(entity);
    persist(entity, visited, options);
  };
  work.remove = (entity, visited, options) => {
    if (flushing) late.add(entity);
    remove(entity, visited, options);
  };
  // What a flush has seen it stores itself; a queued flush sees more.
  work.computeChangeSets = () => {
    computeChangeSets();
    late.clear();
  };
  work.clear = () => {
    late.clear();
    clear();
  };
  work.commit = () => {
    flushing = true;
    return commit();
  };
  // MikroORM ends every flush with it.
  const cleanUp: unknown = Reflect.get(work, 'postCommitCleanup');
  if (typeof cleanUp !== 'function') throw new TypeError('MikroORM has no postCommitCleanup.');
  Reflect.set(work, 'postCommitCleanup', () => {
    const unstored = [...late].filter(entity => work.getPersistStack().has(entity) && !isStored(entity));
    const unremoved = [...late].filter(entity => work.getRemoveStack().has(entity));
    late.clear();
    flushing = false;
    cleanUp.call(work);
    for (const entity of unstored) persist(entity, undefined, { cascade: false });
    for (const entity of unremoved) remove(entity, undefined, { cascade: false });
  });
}

/** A hook can have had it stored by the same flush. */
function isStored(entity: object): boolean {
  return helper(entity).__originalEntityData !== undefined;
}
