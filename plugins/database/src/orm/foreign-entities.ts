import { Cascade, type EntityProperty, helper, Reference, ReferenceKind, Utils } from '@mikro-orm/core';
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
  if (helper(entity).__em !== taker.em && isOfOther(entity, taker)) throw refusal(entity, referrerOf(entity, taker.em));
}

/**
 * `kept` is to store `entity`, given by the code of the service, or found by a flush because another refers to it. Those
 * that a given one refers to would be stored with it.
 */
export function take(entity: object, kept: KeptWork, by: 'code' | 'flush'): void {
  assertOwn(entity, kept);
  const wrapped = helper(entity);
  if (by === 'code') assertOwnRelations(entity, kept);
  if (by === 'flush' && wrapped.__managed === true) return;
  if (wrapped.__em !== kept.em && givenTo.get(wrapped) !== kept) givenTo.set(wrapped, kept);
}

function assertOwnRelations(entity: object, kept: KeptWork): void {
  for (const property of helper(entity).__meta.relations) {
    const related = relatedBy(property, entity);
    if (related !== undefined && isOfOther(related, kept)) throw refusal(related, { referrer: entity, property });
  }
}

function isOfOther(entity: object, { em, session }: Taker): boolean {
  const wrapped = helper(entity);
  if (wrapped.__em === em) return false;
  const mayStore = (kept: KeptWork | undefined) =>
    kept !== undefined && kept.session !== session && isWorking(kept.session.outcome.now);
  return mayStore(givenTo.get(wrapped)) || mayStore(wrapped.__em && keptWork.get(wrapped.__em.getUnitOfWork(false)));
}

/** The entity of a relation whose own changes are stored with its owner. */
function relatedBy({ kind, name, cascade }: EntityProperty, owner: object): object | undefined {
  if (kind !== ReferenceKind.MANY_TO_ONE && kind !== ReferenceKind.ONE_TO_ONE) return undefined;
  if (!cascade.includes(Cascade.PERSIST) && !cascade.includes(Cascade.ALL)) return undefined;
  const related: unknown = Reference.unwrapReference(Object(Reflect.get(owner, name)));
  return Utils.isEntity<object>(related) ? related : undefined;
}

interface Referrer {
  readonly referrer: object;
  readonly property: EntityProperty;
}

function refusal(entity: object, by: Referrer | undefined): SharedEntityError {
  if (by !== undefined) takeOut(entity, by);
  const { className } = helper(entity).__meta;
  const relation = by && `${helper(by.referrer).__meta.className}.${by.property.name}`;
  return new SharedEntityError({ entity: className, ...(relation !== undefined && { relation }) });
}

/** What in `em` refers to `entity`. */
function referrerOf(entity: object, em: EntityManager): Referrer | undefined {
  const work = em.getUnitOfWork(false);
  for (const { meta, prop: property } of helper(entity).__meta.referencingProperties) {
    for (const referrer of [...work.getIdentityMap().getStore(meta).values(), ...work.getPersistStack()]) {
      if (helper(referrer).__meta.root !== meta.root) continue;
      const held: unknown = Reflect.get(referrer, property.name);
      const refers = Utils.isCollection<object>(held)
        ? held.contains(entity, false)
        : Reference.unwrapReference(Object(held)) === entity;
      if (refers) return { referrer, property };
    }
  }
  return undefined;
}

/** Where `entity` refers back, the session that it belongs to would store the referrer. */
function takeOut(entity: object, { referrer, property }: Referrer): void {
  for (const { name, mappedBy, inversedBy } of helper(entity).__meta.bidirectionalRelations) {
    if ((mappedBy ?? inversedBy) !== property.name) continue;
    const held: unknown = Reflect.get(entity, name);
    if (Utils.isCollection<object>(held)) held.removeWithoutPropagation(referrer);
    else if (Reference.unwrapReference(Object(held)) === referrer) Reflect.deleteProperty(helper(entity).__data, name);
  }
}
