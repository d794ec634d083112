import {
  type AnyEntity,
  type ChangeSet,
  type Collection,
  type EntityData,
  EventType,
  helper,
  isRaw,
  Reference,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import type { EntityManager } from './entity-manager.js';
import { replaceMethod } from './private-method.js';

type Data = EntityData<AnyEntity>;
type AnyCollection = Collection<object>;
type RunHooks = (type: EventType, changeSet: ChangeSet<AnyEntity>, sync?: boolean) => Promise<void>;

/**
 * Keeps for the next flush what is changed while one runs. When a statement is answered MikroORM takes for stored what the
 * entity holds by then; from now on that is what the statement held. Calls `onChange` when the two differ.
 */
export function keepLateChanges(em: EntityManager, onChange: () => void): void {
  const work = em.getUnitOfWork(false);
  keepChangedValues(em, work, onChange);
  keepReturnedValues(work, onChange);
  keepChangedCollections(work, onChange);
}

type Work = ReturnType<EntityManager['getUnitOfWork']>;

function keepChangedValues(em: EntityManager, work: Work, onChange: () => void): void {
  const comparator = em.getComparator();
  const before = new WeakMap<object, Data>();
  replaceMethod<RunHooks>(work, 'runHooks', runHooks => (type, changeSet, sync) => {
    const wrapped = helper(changeSet.entity);
    if (type === EventType.beforeUpdate && wrapped.__originalEntityData !== undefined)
      before.set(changeSet, wrapped.__originalEntityData);
    const known = type === EventType.afterUpdate ? before.get(changeSet) : undefined;
    const held = wrapped.__originalEntityData;
    if (known !== undefined && held !== undefined) {
      const stored: Data = { ...known, ...changeSet.payload };
      wrapped.__originalEntityData = stored;
      if (Utils.hasObjectKeys(comparator.diffEntities(changeSet.meta.class, stored, held))) onChange();
    }
    return runHooks(type, changeSet, sync);
  });
}

/** What the server returns is written into the entity, over what has been set there since the statement was sent. */
function keepReturnedValues(work: Work, onChange: () => void): void {
  const persister = work.getChangeSetPersister();
  const mapReturnedValues: typeof persister.mapReturnedValues = persister.mapReturnedValues.bind(persister);
  persister.mapReturnedValues = (entity, payload, row, meta, upsert) => {
    const late = new Map<string, unknown>();
    if (entity && row && Object.keys(row).length > meta.primaryKeys.length) {
      for (const { name, kind, primary, version, generated, persist } of meta.props) {
        const isOwn = kind === ReferenceKind.SCALAR && !primary && !version && !generated && persist !== false;
        if (!isOwn) continue;
        const sent: unknown = Reflect.get(payload, name);
        const held: unknown = Reflect.get(entity, name);
        if ((sent === undefined || isRaw(sent)) && held !== undefined && held !== null && !isRaw(held))
          late.set(name, held);
      }
    }
    mapReturnedValues(entity, payload, row, meta, upsert);
    if (!entity || late.size === 0) return;
    for (const [name, value] of late) Reflect.set(entity, name, value);
    onChange();
  };
}

function keepChangedCollections(work: Work, onChange: () => void): void {
  replaceMethod<(ctx: unknown) => Promise<void>>(work, 'commitCollectionUpdates', commit => async ctx => {
    const synced = new Map<AnyCollection, readonly object[]>();
    const watched = work.getCollectionUpdates().filter(isManyToMany);
    for (const collection of watched) onSync(collection, items => synced.set(collection, items));
    try {
      await commit(ctx);
    } finally {
      for (const collection of watched) Reflect.deleteProperty(collection, 'getSnapshot');
    }
    for (const [collection, items] of synced) if (holdsOthers(collection, items)) setBack(collection, items);
  });
  // The rest of MikroORM's flush takes every collection for stored, also those that were changed too late to be.
  type Take = (entity: AnyEntity, visited: Set<AnyEntity>) => void;
  const take: Take = (entity, visited) => {
    if (visited.has(entity)) return;
    visited.add(entity);
    for (const prop of helper(entity).__meta.relations) {
      const value: unknown = Reflect.get(entity, prop.name);
      if (Utils.isCollection(value)) {
        if (isManyToMany(value) && value.isDirty()) onChange();
        else value.takeSnapshot();
      } else if (prop.kind === ReferenceKind.MANY_TO_ONE && Utils.isEntity(value, true)) {
        take(Reference.unwrapReference(value), visited);
      }
    }
  };
  replaceMethod<Take>(work, 'takeCollectionSnapshots', () => take);
}

function isManyToMany(collection: AnyCollection): boolean {
  return collection.property.kind === ReferenceKind.MANY_TO_MANY;
}

/** MikroORM asks for the snapshot at the moment at which it decides what to store. */
function onSync(collection: AnyCollection, listener: (items: readonly object[]) => void): void {
  const getSnapshot = collection.getSnapshot.bind(collection);
  collection.getSnapshot = () => {
    listener(collection.getItems(false));
    return getSnapshot();
  };
}

function holdsOthers(collection: AnyCollection, items: readonly object[]): boolean {
  const held = collection.getItems(false);
  return held.length !== items.length || held.some((item, index) => item !== items[index]);
}

/** The collection has `stored` for its snapshot, and is dirty with what it holds. */
function setBack(collection: AnyCollection, stored: readonly object[]): void {
  const held = collection.getItems(false);
  refill(collection, stored);
  collection.takeSnapshot();
  refill(collection, held);
}

function refill(collection: AnyCollection, items: readonly object[]): void {
  for (const item of collection.getItems(false)) collection.removeWithoutPropagation(item);
  for (const item of items) collection.addWithoutPropagation(item);
}
