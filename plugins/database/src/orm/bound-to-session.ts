import { type TransactionOptions, TransactionPropagation } from '@mikro-orm/core';
import { SecondConnectionError } from '../errors/session-errors.js';
import type { EntityManager } from './entity-manager.js';

export interface SessionOfEntityManager {
  /** Ends the session, since `by` would begin a transaction past it. */
  refuse(by: string): Promise<never>;
  /** @throws NestedOptionsError when its transaction is not what `asked` says. */
  assertFits(asked: Pick<TransactionOptions, 'isolationLevel' | 'readOnly'>): void;
  /** Work that was part of the transaction, with no savepoint of its own, has failed. */
  partFailed(cause: unknown): void;
}

const { REQUIRED, SUPPORTS, MANDATORY, REQUIRES_NEW, NOT_SUPPORTED } = TransactionPropagation;

const joins: ReadonlySet<string> = new Set([REQUIRED, SUPPORTS, MANDATORY]);
const leaves: ReadonlySet<string> = new Set([REQUIRES_NEW, NOT_SUPPORTED]);

/**
 * Gives `em` back, whose transactions are from now on those of the session. One of its own is refused, and what joins the
 * session's fails with it, as a session inside a session does. So it is with all that is forked from it.
 */
export function boundToSession(em: EntityManager, session: SessionOfEntityManager): EntityManager {
  const fork = em.fork.bind(em);
  const transactional: EntityManager['transactional'] = em.transactional.bind(em);
  em.fork = options => boundToSession(fork(options), session);
  em.begin = () => session.refuse('em.begin()');
  em.transactional = async (work, options) => {
    const { propagation } = options ?? {};
    if (!em.isInTransaction()) return transactional(work, options);
    if (propagation !== undefined && leaves.has(propagation)) throw new SecondConnectionError({ propagation });
    session.assertFits(options ?? {});
    if (propagation === undefined) return transactional(work, options);
    if (!joins.has(propagation)) return transactional(work, options);
    try {
      return await transactional(work, options);
    } catch (error) {
      session.partFailed(error);
      throw error;
    }
  };
  return em;
}
