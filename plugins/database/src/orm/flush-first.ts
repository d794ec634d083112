import { AsyncLocalStorage } from 'node:async_hooks';
import { TransactionPropagation } from '@mikro-orm/core';
import { type EntityManager, hasNoWork } from './entity-manager.js';

/** Set in a flush and in its hooks, where MikroORM refuses a second flush of the same EntityManager. */
const insideFlush = new AsyncLocalStorage<ReadonlySet<EntityManager>>();

/**
 * Gives `em` back, which from now on flushes before it begins a savepoint; so does all that is forked from it.
 * The fork of a savepoint takes over what waits: flushed in there, it would be lost with the savepoint.
 */
export function flushFirst(em: EntityManager): EntityManager {
  const fork = em.fork.bind(em);
  const flush = em.flush.bind(em);
  const transactional: EntityManager['transactional'] = em.transactional.bind(em);
  em.fork = options => flushFirst(fork(options));
  em.flush = () => insideFlush.run(new Set(insideFlush.getStore()).add(em), flush);
  em.transactional = async (work, options) => {
    const nested = (options?.propagation ?? TransactionPropagation.NESTED) === TransactionPropagation.NESTED;
    const flushing = insideFlush.getStore()?.has(em) === true;
    if (nested && !flushing && em.isInTransaction() && !hasNoWork(em)) await em.flush();
    return transactional(work, options);
  };
  return em;
}
