import { helper, Reference, Utils } from '@mikro-orm/core';
import { SharedEntityError } from '../errors/session-errors.js';
import { isWorking } from '../transaction/outcome.js';
import type { EntityManager } from './entity-manager.js';
import { type KeptWork, keptWork, type Session } from './kept-work.js';
import { Mark } from './marks.js';

/** On an entity that its code has given to an EntityManager other than the one that has loaded it, if any. */
const givenTo = new Mark<KeptWork>('keelson.givenTo');

/** Who is about to store, remove or merge an entity. */
interface Taker {
  readonly em: EntityManager;
  readonly session: Session;
}

/**
 * An entity has one snapshot of what is stored of it, however many EntityManagers know it. So when two open sessions have
 * one, the change of one is lost, or stored by the other.
 *
 * @throws SharedEntityError when `entity` belongs to another session that may still store it.
 */
export function assertOwn(entity: object, taker: Taker): void {
  if (isForeign(entity, taker)) throw new SharedEntityError({ entity: helper(entity).__meta.className });
}

/** The code of the service gives `entity` to `kept`. Of another session it may refer to what is stored, by its key. */
export function take(entity: object, kept: KeptWork): void {
  if (isForeign(entity, kept)) takeOut(entity, kept);
  assertOwn(entity, kept);
  claim(entity, kept);
  const wrapped = helper(entity);
  for (const { name } of wrapped.__meta.relations) {
    const related: unknown = Reference.unwrapReference(Object(Reflect.get(entity, name)));
    if (!Utils.isEntity<object>(related) || !isForeign(related, kept)) continue;
    leave(related, kept);
    if (helper(related).__managed === true) continue;
    const relation = `${wrapped.__meta.className}.${name}`;
    throw new SharedEntityError({ entity: helper(related).__meta.className, relation });
  }
}

/** `kept` is to store it: an entity that is stored belongs to the EntityManager that has it. */
export function claim(entity: object, kept: KeptWork): void {
  const wrapped = helper(entity);
  if (wrapped.__em !== kept.em && givenTo.get(wrapped) !== kept) givenTo.set(wrapped, kept);
}

/** It belongs to another session, which may still store it. */
export function isForeign(entity: object, { em, session }: Taker): boolean {
  const wrapped = helper(entity);
  const { __em: managedBy } = wrapped;
  if (managedBy === em) return false;
  const mayStore = (kept: KeptWork | undefined) =>
    kept !== undefined && kept.session !== session && isWorking(kept.session.outcome.now);
  return mayStore(givenTo.get(wrapped)) || mayStore(managedBy && keptWork.get(managedBy.getUnitOfWork(false)));
}

/** An item of another session was put into a collection of this one, which gives it to this one. */
function takeOut(item: object, taker: Taker): void {
  for (const { name, inversedBy } of helper(item).__meta.bidirectionalRelations) {
    const owner: unknown = Reference.unwrapReference(Object(Reflect.get(item, name)));
    if (!inversedBy || !Utils.isEntity<object>(owner) || !isOf(taker, owner)) continue;
    const held: unknown = Reflect.get(owner, inversedBy);
    if (Utils.isCollection<object>(held)) held.removeWithoutPropagation(item);
  }
}

function isOf({ session }: Taker, entity: object): boolean {
  const { __em: managedBy } = helper(entity);
  const owner = givenTo.get(helper(entity)) ?? (managedBy && keptWork.get(managedBy.getUnitOfWork(false)));
  return owner?.session === session;
}

/**
 * Another session's `entity` is left to it. MikroORM has put what refers to it into its inverse sides, and the other session
 * would store it; what the entity itself refers to is for the other session to store.
 */
export function leave(entity: object, taker: Taker): void {
  for (const { name, mappedBy, inversedBy } of helper(entity).__meta.bidirectionalRelations) {
    const held: unknown = Reference.unwrapReference(Object(Reflect.get(entity, name)));
    if (Utils.isCollection<object>(held)) {
      for (const item of held.getItems(false).filter(each => isOf(taker, each))) {
        if (mappedBy) held.removeWithoutPropagation(item);
        const inverse: unknown = inversedBy ? Reflect.get(item, inversedBy) : undefined;
        if (Utils.isCollection<object>(inverse)) inverse.removeWithoutPropagation(entity);
      }
    } else if (mappedBy && Utils.isEntity<object>(held) && isOf(taker, held))
      Reflect.deleteProperty(helper(entity).__data, name);
  }
}
