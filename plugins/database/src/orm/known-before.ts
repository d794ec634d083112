import { type AnyEntity, Collection, type EntityData, helper, Reference, ReferenceKind, Utils } from '@mikro-orm/core';
import type { EntityManager } from './entity-manager.js';
import { putBack } from './taken-back.js';

/** What MikroORM knew of an entity when a part began. */
export interface Known {
  readonly entity: object;
  readonly stored: EntityData<AnyEntity> | undefined;
  readonly initialized: boolean;
  /** Its collections that were not loaded, with what they held. */
  readonly unloaded: readonly (readonly [collection: Collection<object>, items: readonly object[]])[];
}

/** Copies: MikroORM changes what it knows in place, too. */
export function knownOf(em: EntityManager): readonly Known[] {
  return Array.from(em.getUnitOfWork(false).getIdentityMap(), entity => {
    const { __originalEntityData: stored, __initialized: initialized } = helper(entity);
    const unloaded = collectionsOf(entity)
      .filter(each => !each.isInitialized())
      .map(each => [each, each.getItems(false)] as const);
    return { entity, stored: stored && { ...stored }, initialized, unloaded };
  });
}

/**
 * A part is undone by `undo`: what it has changed of `known`, and not flushed, is as it was. When the part has changed rows,
 * so is what MikroORM knows by other means than a flush: an upsert, or a read of what statements had changed.
 */
export function undoKnown(known: readonly Known[], em: EntityManager, hasChangedRows: boolean, undo: () => void): void {
  const loaded = known.flatMap(({ unloaded }) => unloaded).filter(([each]) => each.isInitialized());
  const wrong = loaded.filter(([each]) => hasChangedRows || each.isDirty() || holdsChanges(each, em));
  undo();
  for (const each of known) {
    if (isChanged(each.entity, em) || (hasChangedRows && !isStillKnown(each))) putBack(each, em);
    for (const collection of collectionsOf(each.entity)) refill(collection);
  }
  for (const [collection, items] of wrong) unload(collection, items);
  const before = new Set(known.map(({ entity }) => entity));
  for (const entity of em.getUnitOfWork(false).getIdentityMap()) if (!before.has(entity)) undoChanges(entity, em);
}

/** It was loaded since, as the items of a collection are, which come to the EntityManager of their owner. */
function undoChanges(entity: object, em: EntityManager): void {
  const { __originalEntityData: stored, __initialized: initialized } = helper(entity);
  if (stored !== undefined && isChanged(entity, em)) putBack({ entity, stored, initialized }, em);
}

function holdsChanges(collection: Collection<object>, em: EntityManager): boolean {
  return collection.getItems(false).some(item => isNew(item) || isChanged(item, em));
}

/** MikroORM marks none as not loaded again; another takes its place. */
function unload({ owner, property }: Collection<object>, items: readonly object[]): void {
  const unloaded = new Collection<object>(owner, undefined, false);
  unloaded.property = property;
  Reflect.set(owner, property.name, unloaded);
  for (const item of items) unloaded.addWithoutPropagation(item);
  unloaded.setDirty(false);
}

/** It holds something that no flush has stored. */
function isChanged(entity: object, em: EntityManager): boolean {
  const { __meta: meta, __originalEntityData: stored = {} } = helper(entity);
  const comparator = em.getComparator();
  const changed = Object.keys(comparator.diffEntities(meta.class, stored, comparator.prepareEntity(entity)));
  if (changed.some(name => !meta.primaryKeys.some(key => key === name))) return true;
  return meta.relations.some(({ name }) => isNew(Reference.unwrapReference(Object(Reflect.get(entity, name)))));
}

function collectionsOf(entity: object): Collection<object>[] {
  return helper(entity).__meta.relations.flatMap(({ name, kind }) => {
    if (kind !== ReferenceKind.ONE_TO_MANY && kind !== ReferenceKind.MANY_TO_MANY) return [];
    const held: unknown = Reflect.get(entity, name);
    return Utils.isCollection<object>(held) ? [held] : [];
  });
}

/** With what is stored of it, as far as that was loaded. Only the owning side of a many-to-many relation is stored itself. */
function refill(collection: Collection<object>): void {
  const { kind, owner } = collection.property;
  const isStored = kind === ReferenceKind.MANY_TO_MANY && owner === true;
  const stored = (collection.getSnapshot() ?? []).filter(item => !isNew(item));
  const isWrong = (item: object) => isNew(item) || (isStored && collection.isDirty() && !stored.includes(item));
  for (const item of collection.getItems(false).filter(isWrong)) collection.removeWithoutPropagation(item);
  if (!collection.isDirty()) return;
  for (const item of stored) if (!collection.contains(item, false)) collection.addWithoutPropagation(item);
  collection.takeSnapshot();
}

function isNew(entity: object): boolean {
  return Utils.isEntity(entity) && helper(entity).__managed !== true;
}

function isStillKnown({ entity, stored, initialized }: Known): boolean {
  const { __originalEntityData: held, __initialized } = helper(entity);
  if (initialized !== __initialized) return false;
  if (stored === undefined || held === undefined) return stored === held;
  const names = Object.keys(held);
  const isSame = (name: string) => Object.is(Reflect.get(held, name), Reflect.get(stored, name));
  return names.length === Object.keys(stored).length && names.every(isSame);
}
