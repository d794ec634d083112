import {
  type AnyEntity,
  type ChangeSet,
  ChangeSetPersister,
  type Collection,
  type Dictionary,
  type EntityData,
  type EntityDictionary,
  type EntityMetadata,
  EventType,
  helper,
  isRaw,
  Reference,
  ReferenceKind,
  type UnitOfWork,
  Utils,
} from '@mikro-orm/core';
import type { EntityManager } from './entity-manager.js';
import { overrideHidden } from './hidden-method.js';
import { type Flush, keptWork } from './kept-work.js';
import { Mark } from './marks.js';

type Data = EntityData<AnyEntity>;
type AnyCollection = Collection<object>;
type Hook = [type: EventType, changeSet: ChangeSet<AnyEntity>, sync?: boolean];

/**
 * Keeps for the next flush what is changed while one runs. When a statement is answered MikroORM takes for stored what the
 * entity holds by then; with these methods, that is what the statement held.
 *
 * @param prototype that of units of work whose `keptWork` is set.
 */
export function overrideChangeTracking(prototype: UnitOfWork): void {
  keepChangedValues(prototype);
  keepChangedCollections(prototype);
}

function keepChangedValues(prototype: UnitOfWork): void {
  overrideHidden<UnitOfWork, Hook, Promise<void>>(prototype, 'runHooks', (work, runHooks, type, changeSet, sync) => {
    const kept = keptWork.get(work);
    if (kept === undefined) return runHooks(type, changeSet, sync);
    const { em, flush } = kept;
    if (type === EventType.beforeUpdate) noteSnapshot(changeSet);
    if (type === EventType.afterUpdate && correctSnapshot(changeSet, em)) flush?.noteLateChange();
    if (em.getEventManager().hasListeners(type, changeSet.meta)) flush?.noteHook();
    return runHooks(type, changeSet, sync);
  });
}

/** What the entity held before its changes were computed. */
function noteSnapshot(changeSet: ChangeSet<AnyEntity>): void {
  const computed = helper(changeSet.entity).__originalEntityData;
  if (computed !== undefined) snapshots.set(changeSet, computed);
}

/** True when the entity holds something that was not stored. */
function correctSnapshot(changeSet: ChangeSet<AnyEntity>, em: EntityManager): boolean {
  const { entity, meta, payload } = changeSet;
  const computed = snapshots.get(changeSet);
  const held = helper(entity).__originalEntityData;
  if (computed === undefined || held === undefined) return false;
  const since = em.getComparator().diffEntities(meta.class, computed, held);
  const late = lateValues(computed, held, since, payload, returned.get(payload));
  if (late.size === 0) return false;
  helper(entity).__originalEntityData = { ...held, ...Object.fromEntries(late) };
  return true;
}

/** What is stored of those properties that hold something else by now. */
function lateValues(
  computed: Data,
  held: Data,
  since: object,
  payload: object,
  answered: ReadonlyMap<string, { readonly stored: unknown } | undefined> | undefined,
): Map<string, unknown> {
  const late = new Map<string, unknown>();
  for (const name of Object.keys(since)) {
    if (answered?.has(name) === true) continue;
    const sent: unknown = Reflect.get(payload, name);
    if (!(name in payload)) late.set(name, Reflect.get(computed, name));
    // A hook has changed it before it was sent, or a key was not known before.
    else if (!Utils.equals(sent, Reflect.get(held, name)))
      late.set(name, Utils.isPrimaryKey(sent) ? sent : Reflect.get(computed, name));
  }
  for (const [name, sent] of Object.entries(payload)) {
    // What was sent and then set back is stored, although the entity seems not to have changed at all.
    if (name in since || sent === undefined || isRaw(sent) || answered?.has(name) === true) continue;
    if (!Utils.equals(sent, Reflect.get(held, name))) late.set(name, sent);
  }
  for (const [name, value] of answered ?? []) if (value !== undefined) late.set(name, value.stored);
  return late;
}

/** The names of values that the server has returned, and what is stored of those that were changed late. */
type Returned = ReadonlyMap<string, { readonly stored: unknown } | undefined>;

/** On the payload of a change set. */
const returned = new Mark<Returned>('keelson.returned');

/** On a change set: what its entity held when the changes were computed. */
const snapshots = new Mark<Data>('keelson.snapshot');

/** What the server returns is written into the entity, over what has been set there since the statement was sent. */
export class LateChangeSetPersister extends ChangeSetPersister {
  override mapReturnedValues<T extends object>(
    entity: T | null | undefined,
    payload: EntityDictionary<T>,
    row: Dictionary | undefined,
    meta: EntityMetadata<T>,
    upsert?: boolean,
  ): void {
    if (!entity || !row || Object.keys(row).length <= meta.primaryKeys.length) {
      super.mapReturnedValues(entity, payload, row, meta, upsert);
      return;
    }
    const sent = new Map<string, unknown>(Object.entries(payload));
    const late = new Map<string, unknown>();
    for (const { name, kind, primary, version, generated, persist } of meta.props) {
      if (kind !== ReferenceKind.SCALAR || primary || version || generated || persist === false) continue;
      const value = sent.get(name);
      const held: unknown = Reflect.get(entity, name);
      if ((value === undefined || isRaw(value)) && held !== undefined && held !== null && !isRaw(held))
        late.set(name, held);
    }
    super.mapReturnedValues(entity, payload, row, meta, upsert);
    const names = new Map<string, { readonly stored: unknown } | undefined>();
    returned.set(payload, names);
    for (const [name, value] of Object.entries(payload)) {
      if (sent.has(name) && sent.get(name) === value) continue;
      const isLate = late.has(name);
      names.set(name, isLate ? { stored: value } : undefined);
      if (!isLate) continue;
      Reflect.set(entity, name, late.get(name));
      keptWork.get(this)?.flush?.noteLateChange();
    }
  }
}

function keepChangedCollections(prototype: UnitOfWork): void {
  overrideHidden<UnitOfWork, [context: unknown], Promise<void>>(
    prototype,
    'commitCollectionUpdates',
    async (work, commit, context) => {
      const synced = new Map<AnyCollection, readonly object[]>();
      const watched = work.getCollectionUpdates().filter(isManyToMany);
      for (const collection of watched) onSync(collection, items => synced.set(collection, items));
      try {
        await commit(context);
      } finally {
        for (const collection of watched) Reflect.deleteProperty(collection, 'getSnapshot');
      }
      for (const [collection, items] of synced) {
        if (!holdsOthers(collection, items)) continue;
        setBack(collection, items);
        keptWork.get(work)?.flush?.noteLateChange();
      }
    },
  );
  overrideHidden<UnitOfWork, [entity: AnyEntity, visited: Set<AnyEntity>], void>(
    prototype,
    'takeCollectionSnapshots',
    (work, _, entity, visited) => takeSnapshots(entity, visited, keptWork.get(work)?.flush),
  );
}

/** The rest of MikroORM's flush takes every collection for stored, also those that were changed too late to be. */
function takeSnapshots(entity: AnyEntity, visited: Set<AnyEntity>, flush: Flush | undefined): void {
  if (visited.has(entity)) return;
  visited.add(entity);
  for (const prop of helper(entity).__meta.relations) {
    const value: unknown = Reflect.get(entity, prop.name);
    if (Utils.isCollection(value)) {
      if (isManyToMany(value) && value.isDirty()) flush?.noteLateChange();
      else value.takeSnapshot();
    } else if (prop.kind === ReferenceKind.MANY_TO_ONE && Utils.isEntity(value, true)) {
      takeSnapshots(Reference.unwrapReference(value), visited, flush);
    }
  }
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
