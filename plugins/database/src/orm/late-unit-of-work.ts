import { AsyncLocalStorage } from 'node:async_hooks';
import { Cascade, helper, UnitOfWork } from '@mikro-orm/core';
import { EndlessFlushError } from '../errors/session-errors.js';
import type { EntityManager } from './entity-manager.js';
import { assertOwn, claim, isForeign, leave, take } from './foreign-entities.js';
import { overrideHidden } from './hidden-method.js';
import { Flush, KeptWork, keptWork, maxFlushes, type Session } from './kept-work.js';
import { knownOf, undoKnown } from './known-before.js';
import { LateChangeSetPersister, overrideChangeTracking } from './late-changes.js';
import { Mark } from './marks.js';
import { transactionOf } from './session-connection.js';
import { takeBackUndone } from './taken-back.js';
import { forgetUndone, noteFlush, noteUpserted } from './undone-flushes.js';

/**
 * From now on `em` keeps for its next flush what is created, changed or removed while one runs; MikroORM forgets it when
 * that flush ends. A flush that no other follows, of a commit or at the end of `em.transactional`, is repeated until nothing
 * waits.
 */
export function keepLateWork(em: EntityManager, session: Session): void {
  const work = em.getUnitOfWork(false);
  if (work instanceof LateUnitOfWork) return;
  const persister = work.getChangeSetPersister();
  const kept = new KeptWork(em, session);
  // MikroORM makes both itself. Their private fields stay what they are.
  Reflect.setPrototypeOf(work, LateUnitOfWork.prototype);
  Reflect.setPrototypeOf(persister, LateChangeSetPersister.prototype);
  keptWork.set(work, kept);
  keptWork.set(persister, kept);
}

/** No flush follows the next one of `em`: it is repeated until nothing waits to be stored. */
export function letFlushBeLast(em: EntityManager): void {
  const kept = keptWork.get(em.getUnitOfWork(false));
  if (kept !== undefined) kept.isLast = true;
}

/** Those that the work of a nested transaction runs with: what joins it must not end it. */
const joined = new Mark<boolean>('keelson.joined');

/** MikroORM's own, with which it merges the fork of a nested transaction. */
const ownSubscribers = new Mark<boolean>('keelson.ownSubscriber');

/** Runs the work of a transaction of `outer`; the flush with which MikroORM ends that transaction is the last of `inner`. */
export async function runAsLast<Em extends EntityManager, T>(
  outer: Em,
  inner: Em,
  work: (em: Em) => T | Promise<T>,
): Promise<T> {
  if (inner === outer || joined.get(inner) === true) return work(inner);
  joined.set(inner, true);
  const kept = keptWork.get(inner.getUnitOfWork(false));
  if (kept !== undefined) kept.outer = outer;
  const known = outer.getEventManager().getSubscribers();
  for (const each of inner.getEventManager().getSubscribers()) if (!known.has(each)) ownSubscribers.set(each, true);
  const result = await work(inner);
  letFlushBeLast(inner);
  return result;
}

/** What the code of a part gives to the EntityManagers around it: collections give their items to that of their owner. */
interface Part {
  readonly outer: Part | undefined;
  readonly given: (readonly [work: UnitOfWork, entity: object])[];
}

const insidePart = new AsyncLocalStorage<Part>();

/**
 * Runs a savepoint of `em`. When it is undone, the entities of `em` are again what they were before. `pending`: a flush of
 * `em` runs, so they hold what it has still to store.
 */
export async function asPart<T>(em: EntityManager, pending: boolean, run: () => Promise<T>): Promise<T> {
  const kept = keptWork.get(em.getUnitOfWork(false));
  if (kept === undefined) return run();
  kept.parts += 1;
  const transaction = transactionOf(em.getTransactionContext());
  const changes = transaction?.changes;
  const known = pending ? undefined : knownOf(em);
  const part: Part = { outer: insidePart.getStore(), given: [] };
  try {
    return await insidePart.run(part, run);
  } catch (error) {
    const undo = () => takeBackUndone(kept);
    if (known === undefined) undo();
    else undoKnown(known, em, transaction?.changes !== changes, undo);
    for (const [work, entity] of part.given) forgetGiven(work, entity);
    throw error;
  } finally {
    kept.parts -= 1;
    if (kept.parts === 0) kept.removed.clear();
  }
}

function noteGiven(work: UnitOfWork, entity: object): void {
  for (let part = insidePart.getStore(); part !== undefined; part = part.outer) part.given.push([work, entity]);
}

function forgetGiven(work: UnitOfWork, entity: object): void {
  work.getPersistStack().delete(entity);
  work.getRemoveStack().delete(entity);
  work.cancelOrphanRemoval(entity);
}

class LateUnitOfWork extends UnitOfWork {
  override persist(...[entity, visited, options]: Parameters<UnitOfWork['persist']>): void {
    const kept = keptWork.get(this);
    if (kept !== undefined && visited === undefined) take(entity, kept);
    else if (kept !== undefined && helper(entity).__managed !== true) claim(entity, kept);
    const flush = kept?.flush;
    flush?.note(entity);
    flush?.unwanted.delete(entity);
    noteGiven(this, entity);
    if (kept !== undefined) forgetUndone(entity);
    super.persist(entity, visited, options);
  }

  override merge(...[entity, visited]: Parameters<UnitOfWork['merge']>): void {
    const kept = keptWork.get(this);
    if (kept !== undefined) assertOwn(entity, kept);
    super.merge(entity, visited);
  }

  override register<T extends object>(
    ...[entity, data, options]: Parameters<typeof UnitOfWork.prototype.register<T>>
  ): T {
    // MikroORM registers without `loaded` at the end of the INSERT of a flush, and at the end of an upsert.
    if (options?.refresh === true && options.loaded === undefined && keptWork.get(this) !== undefined)
      noteUpserted(entity);
    return super.register(entity, data, options);
  }

  override remove(...[entity, ...more]: Parameters<UnitOfWork['remove']>): void {
    const kept = keptWork.get(this);
    if (kept !== undefined) assertOwn(entity, kept);
    const flush = kept?.flush;
    flush?.note(entity);
    if (this.getPersistStack().has(entity) && !isStored(entity)) flush?.unwanted.add(entity);
    noteGiven(this, entity);
    super.remove(entity, ...more);
  }

  override unsetIdentity(...[entity]: Parameters<UnitOfWork['unsetIdentity']>): void {
    const kept = keptWork.get(this);
    if (kept !== undefined && kept.parts > 0 && this.getIdentityMap().getByEntity(entity) === entity)
      kept.removed.add(entity);
    super.unsetIdentity(entity);
  }

  override scheduleOrphanRemoval(...[entity, visited]: Parameters<UnitOfWork['scheduleOrphanRemoval']>): void {
    if (entity) {
      runningFlush(this)?.orphans.add(entity);
      noteGiven(this, entity);
    }
    super.scheduleOrphanRemoval(entity, visited);
  }

  override cancelOrphanRemoval(...[entity, visited]: Parameters<UnitOfWork['cancelOrphanRemoval']>): void {
    runningFlush(this)?.orphans.delete(entity);
    super.cancelOrphanRemoval(entity, visited);
  }

  /** What a flush has seen it stores itself; a queued flush sees more. */
  override computeChangeSets(): void {
    super.computeChangeSets();
    const kept = keptWork.get(this);
    if (kept !== undefined) noteFlush(this, kept);
    kept?.flush?.forget();
  }

  override clear(): void {
    runningFlush(this)?.forget();
    super.clear();
  }

  override async commit(): Promise<void> {
    const kept = keptWork.get(this);
    // MikroORM lets it wait for the running one, or refuses it.
    if (kept === undefined || kept.flush !== undefined) return super.commit().finally(() => endMarks(kept));
    let flush: Flush | undefined;
    do {
      if (flush?.count === maxFlushes) throw new EndlessFlushError({ flushes: maxFlushes, ...flush.lastMade });
      flush = new Flush((flush?.count ?? 0) + 1);
      kept.flush = flush;
      await super.commit().finally(() => endMarks(kept));
    } while (kept.isLast && mayWait(this, flush, kept.em));
  }
}

overrideChangeTracking(LateUnitOfWork.prototype);

type Cascaded = [entity: object, type: Cascade, ...more: unknown[]];

// What belongs to another session is neither stored nor merged by this one: it is referred to by its key.
overrideHidden<LateUnitOfWork, Cascaded, void>(LateUnitOfWork.prototype, 'cascade', (work, cascade, ...given) => {
  const [entity, type] = given;
  const kept = keptWork.get(work);
  const isTaken = type === Cascade.PERSIST || type === Cascade.MERGE;
  if (kept === undefined || !isTaken || !isForeign(entity, kept)) cascade(...given);
  else leave(entity, kept);
});

// MikroORM would insert an entity without a key, also one that belongs to another session.
overrideHidden<LateUnitOfWork, [entity: object, ...more: unknown[]], void>(
  LateUnitOfWork.prototype,
  'findNewEntities',
  (work, find, ...given) => {
    const kept = keptWork.get(work);
    if (kept !== undefined) assertOwn(given[0], kept);
    find(...given);
  },
);

// MikroORM ends every flush with it.
overrideHidden<LateUnitOfWork, [], void>(LateUnitOfWork.prototype, 'postCommitCleanup', (work, cleanUp) => {
  const kept = keptWork.get(work);
  const { noted = [], unwanted = [], orphans = [] } = kept?.flush ?? {};
  const persist = [...noted].filter(entity => work.getPersistStack().has(entity) && !isStored(entity));
  const remove = [...[...noted].filter(entity => work.getRemoveStack().has(entity)), ...[...unwanted].filter(isStored)];
  const orphaned = [...orphans].filter(entity => work.getOrphanRemoveStack().has(entity));
  if (kept !== undefined) kept.flush = undefined;
  cleanUp();
  for (const entity of persist) work.persist(entity, undefined, { cascade: false });
  for (const entity of remove) work.remove(entity, undefined, { cascade: false });
  for (const entity of orphaned) work.scheduleOrphanRemoval(entity);
});

/** What comes after is not part of what was flushed. */
function endMarks(kept: KeptWork | undefined): void {
  for (const mark of kept?.marks.splice(0) ?? []) mark.end();
}

function runningFlush(work: UnitOfWork): Flush | undefined {
  return keptWork.get(work)?.flush;
}

/** What a hook has changed is seen by no other means than to look again. */
function mayWait(work: UnitOfWork, flush: Flush, em: EntityManager): boolean {
  const waiting = work.getPersistStack().size + work.getRemoveStack().size + work.getOrphanRemoveStack().size;
  return waiting > 0 || flush.changedLate || flush.hooked || (flush.count === 1 && isSubscribed(em));
}

/** Code of the service may run at the end of each flush. */
function isSubscribed(em: EntityManager): boolean {
  return [...em.getEventManager().getSubscribers()].some(each => ownSubscribers.get(each) !== true);
}

/** A hook can have had it stored by the same flush. */
function isStored(entity: object): boolean {
  return helper(entity).__originalEntityData !== undefined;
}
