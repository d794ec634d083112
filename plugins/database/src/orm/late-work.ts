import { helper } from '@mikro-orm/core';
import { callerPath } from '../errors/code-path.js';
import { EndlessFlushError } from '../errors/session-errors.js';
import type { EntityManager } from './entity-manager.js';
import { keepLateChanges } from './late-changes.js';
import { Mark } from './marks.js';
import { replaceMethod } from './private-method.js';

type Work = ReturnType<EntityManager['getUnitOfWork']>;

/**
 * Gives `em` back, which from now on keeps for its next flush what is created, changed or removed while one runs; MikroORM
 * forgets it when that flush ends. A flush that no other follows, of a commit or at the end of `em.transactional`, is
 * repeated until nothing waits. So it is with all that is forked from it.
 */
export function keepLateWork(em: EntityManager): EntityManager {
  const fork = em.fork.bind(em);
  const commit = em.commit.bind(em);
  const transactional: EntityManager['transactional'] = em.transactional.bind(em);
  keepLateWorkOf(em);
  em.fork = options => keepLateWork(fork(options));
  em.commit = () => {
    letFlushBeLast(em);
    return commit();
  };
  em.transactional = (work, options) => {
    const outer = em.getEventManager().getSubscribers();
    return transactional(async inner => {
      if (inner === em || joined.get(inner) === true) return work(inner);
      joined.set(inner, true);
      for (const each of inner.getEventManager().getSubscribers()) if (!outer.has(each)) ownSubscribers.set(each, true);
      const result = await work(inner);
      letFlushBeLast(inner);
      return result;
    }, options);
  };
  return em;
}

/** No flush follows the next one of `em`: it is repeated until nothing waits to be stored. */
export function letFlushBeLast(em: EntityManager): void {
  last.set(em.getUnitOfWork(false), true);
}

const last = new Mark<boolean>('keelson.lastFlush');

/** Those that the work of a nested transaction runs with: what joins it must not end it. */
const joined = new Mark<boolean>('keelson.joined');

/** MikroORM's own, with which it merges the fork of a nested transaction. */
const ownSubscribers = new Mark<boolean>('keelson.ownSubscriber');

/** A hook that still makes work after so many flushes does so without end. */
const maxFlushes = 100;

function keepLateWorkOf(em: EntityManager): void {
  const work = em.getUnitOfWork(false);
  const persist: Work['persist'] = work.persist.bind(work);
  const remove: Work['remove'] = work.remove.bind(work);
  const scheduleOrphanRemoval = work.scheduleOrphanRemoval.bind(work);
  const cancelOrphanRemoval = work.cancelOrphanRemoval.bind(work);
  const commit = work.commit.bind(work);
  const clear = work.clear.bind(work);
  const computeChangeSets = work.computeChangeSets.bind(work);
  const late = new Set<object>();
  const lateOrphans = new Set<object>();
  /** Removed while the running flush creates them: MikroORM only takes them out of what is not planned yet. */
  const unwanted = new Set<object>();
  let flushing = false;
  let changedLate = false;
  let hooked = false;
  let flushes = 0;
  let lastMade: { readonly entity: string; readonly at: string | undefined } | undefined;

  keepLateChanges(em, {
    onLateChange: () => {
      changedLate = true;
    },
    onHook: () => {
      hooked = true;
    },
  });

  function note(entity: object): void {
    late.add(entity);
    if (flushes === maxFlushes) lastMade ??= { entity: helper(entity).__meta.className, at: callerPath() };
  }

  function forget(): void {
    late.clear();
    lateOrphans.clear();
    unwanted.clear();
  }

  work.persist = (entity, visited, options) => {
    if (flushing) note(entity);
    unwanted.delete(entity);
    persist(entity, visited, options);
  };
  work.remove = (entity, visited, options) => {
    if (flushing) note(entity);
    if (flushing && work.getPersistStack().has(entity) && !isStored(entity)) unwanted.add(entity);
    remove(entity, visited, options);
  };
  work.scheduleOrphanRemoval = (entity, visited) => {
    if (flushing && entity) lateOrphans.add(entity);
    scheduleOrphanRemoval(entity, visited);
  };
  work.cancelOrphanRemoval = (entity, visited) => {
    lateOrphans.delete(entity);
    cancelOrphanRemoval(entity, visited);
  };
  // What a flush has seen it stores itself; a queued flush sees more.
  work.computeChangeSets = () => {
    computeChangeSets();
    forget();
  };
  work.clear = () => {
    forget();
    clear();
  };
  work.commit = async () => {
    // MikroORM lets it wait for the running one, or refuses it.
    if (flushing) return commit();
    flushes = 0;
    do {
      if (flushes === maxFlushes) throw new EndlessFlushError({ flushes, ...lastMade });
      flushes += 1;
      flushing = true;
      changedLate = false;
      hooked = false;
      await commit();
    } while (last.get(work) === true && mayWait());
  };
  // MikroORM ends every flush with it.
  replaceMethod<() => void>(work, 'postCommitCleanup', cleanUp => () => {
    const unstored = [...late].filter(entity => work.getPersistStack().has(entity) && !isStored(entity));
    const unremoved = [
      ...[...late].filter(entity => work.getRemoveStack().has(entity)),
      ...[...unwanted].filter(isStored),
    ];
    const orphans = [...lateOrphans].filter(entity => work.getOrphanRemoveStack().has(entity));
    forget();
    flushing = false;
    cleanUp();
    for (const entity of unstored) persist(entity, undefined, { cascade: false });
    for (const entity of unremoved) remove(entity, undefined, { cascade: false });
    for (const entity of orphans) scheduleOrphanRemoval(entity);
  });

  /** What a hook has changed is seen by no other means than to look again. */
  function mayWait(): boolean {
    const waiting = work.getPersistStack().size + work.getRemoveStack().size + work.getOrphanRemoveStack().size;
    return waiting > 0 || changedLate || hooked || (flushes === 1 && isSubscribed(em));
  }
}

/** Code of the service may run at the end of each flush. */
function isSubscribed(em: EntityManager): boolean {
  return [...em.getEventManager().getSubscribers()].some(each => ownSubscribers.get(each) !== true);
}

/** A hook can have had it stored by the same flush. */
function isStored(entity: object): boolean {
  return helper(entity).__originalEntityData !== undefined;
}
