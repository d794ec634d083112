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
import { Mark } from './marks.js';
import { replaceMethod } from './private-method.js';

type Data = EntityData<AnyEntity>;
type AnyCollection = Collection<object>;
type Work = ReturnType<EntityManager['getUnitOfWork']>;
type RunHooks = (type: EventType, changeSet: ChangeSet<AnyEntity>, sync?: boolean) => Promise<void>;

export interface FlushListener {
  /** An entity or a collection holds something that the running flush does not store. */
  onLateChange(): void;
  /** Code of the service runs inside the flush. */
  onHook(): void;
}

/**
 * Keeps for the next flush what is changed while one runs. When a statement is answered MikroORM takes for stored what the
 * entity holds by then; from now on that is what the statement held.
 */
export function keepLateChanges(em: EntityManager, listener: FlushListener): void {
  const work = em.getUnitOfWork(false);
  keepReturnedValues(work, listener);
  keepChangedValues(em, work, listener);
  keepChangedCollections(work, listener);
}

function keepChangedValues(em: EntityManager, work: Work, listener: FlushListener): void {
  const comparator = em.getComparator();
  replaceMethod<RunHooks>(work, 'runHooks', runHooks => (type, changeSet, sync) => {
    const { entity, meta } = changeSet;
    if (type === EventType.beforeUpdate) noteSnapshot(changeSet);
    if (type === EventType.afterUpdate) correctSnapshot(changeSet);
    if (em.getEventManager().hasListeners(type, meta)) listener.onHook();
    return runHooks(type, changeSet, sync);

    /** What the entity held before its changes were computed. */
    function noteSnapshot(key: object): void {
      const computed = helper(entity).__originalEntityData;
      if (computed !== undefined) snapshots.set(key, computed);
    }

    function correctSnapshot(key: object): void {
      const computed = snapshots.get(key);
      const held = helper(entity).__originalEntityData;
      if (computed === undefined || held === undefined) return;
      const since = comparator.diffEntities(meta.class, computed, held);
      const answered = returned.get(changeSet.payload);
      const late = lateValues(computed, held, since, changeSet.payload, answered);
      if (late.size === 0) return;
      helper(entity).__originalEntityData = { ...held, ...Object.fromEntries(late) };
      listener.onLateChange();
    }
  });
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
function keepReturnedValues(work: Work, listener: FlushListener): void {
  const persister = work.getChangeSetPersister();
  const mapReturnedValues: typeof persister.mapReturnedValues = persister.mapReturnedValues.bind(persister);
  persister.mapReturnedValues = (entity, payload, row, meta, upsert) => {
    if (!entity || !row || Object.keys(row).length <= meta.primaryKeys.length)
      return mapReturnedValues(entity, payload, row, meta, upsert);
    const sent = new Map<string, unknown>(Object.entries(payload));
    const late = new Map<string, unknown>();
    for (const { name, kind, primary, version, generated, persist } of meta.props) {
      if (kind !== ReferenceKind.SCALAR || primary || version || generated || persist === false) continue;
      const value = sent.get(name);
      const held: unknown = Reflect.get(entity, name);
      if ((value === undefined || isRaw(value)) && held !== undefined && held !== null && !isRaw(held))
        late.set(name, held);
    }
    mapReturnedValues(entity, payload, row, meta, upsert);
    const names = new Map<string, { readonly stored: unknown } | undefined>();
    returned.set(payload, names);
    for (const [name, value] of Object.entries(payload)) {
      if (sent.has(name) && sent.get(name) === value) continue;
      const isLate = late.has(name);
      names.set(name, isLate ? { stored: value } : undefined);
      if (!isLate) continue;
      Reflect.set(entity, name, late.get(name));
      listener.onLateChange();
    }
  };
}

function keepChangedCollections(work: Work, listener: FlushListener): void {
  replaceMethod<(ctx: unknown) => Promise<void>>(work, 'commitCollectionUpdates', commit => async ctx => {
    const synced = new Map<AnyCollection, readonly object[]>();
    const watched = work.getCollectionUpdates().filter(isManyToMany);
    for (const collection of watched) onSync(collection, items => synced.set(collection, items));
    try {
      await commit(ctx);
    } finally {
      for (const collection of watched) Reflect.deleteProperty(collection, 'getSnapshot');
    }
    for (const [collection, items] of synced) {
      if (!holdsOthers(collection, items)) continue;
      setBack(collection, items);
      listener.onLateChange();
    }
  });
  // The rest of MikroORM's flush takes every collection for stored, also those that were changed too late to be.
  type Take = (entity: AnyEntity, visited: Set<AnyEntity>) => void;
  const take: Take = (entity, visited) => {
    if (visited.has(entity)) return;
    visited.add(entity);
    for (const prop of helper(entity).__meta.relations) {
      const value: unknown = Reflect.get(entity, prop.name);
      if (Utils.isCollection(value)) {
        if (isManyToMany(value) && value.isDirty()) listener.onLateChange();
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
