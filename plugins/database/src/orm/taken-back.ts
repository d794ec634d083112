import {
  type AnyEntity,
  type EntityData,
  type EntityProperty,
  helper,
  JsonType,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import type { EntityManager } from './entity-manager.js';
import { type KeptWork, keptWork } from './kept-work.js';
import { type Before, flushed } from './undone-flushes.js';

type Data = EntityData<AnyEntity>;
type Properties = ReadonlyMap<string, EntityProperty>;

interface PutBack {
  readonly entity: object;
  readonly stored: Data | undefined;
  readonly initialized: boolean;
}

const jsonOfSnapshot = { mode: 'hydration', force: true } as const;

/**
 * A savepoint of `kept` was undone. The entities that its EntityManager knows, and that flushes of the savepoint have
 * updated or removed, are again what they were before, for their owner and for MikroORM. Sends nothing.
 *
 * Those that only the savepoint knew, and those that it made, stay as they are: `forgetUndone` lets them be given again.
 */
export function takeBackUndone(kept: KeptWork): void {
  const around = [...withOuter(kept)];
  const removed = new Set(around.flatMap(each => bringBack(each)));
  for (const { em } of around) {
    for (const entity of em.getUnitOfWork(false).getIdentityMap()) takeBack(entity, em);
  }
  for (const { em } of around) {
    for (const entity of removed) referAgain(entity, em);
    for (const entity of em.getUnitOfWork(false).getIdentityMap()) settleInverse(entity);
  }
}

/** It, and those that it is a savepoint of. */
function* withOuter(kept: KeptWork): Iterable<KeptWork> {
  for (let each: KeptWork | undefined = kept; each !== undefined; ) {
    yield each;
    each = each.outer && keptWork.get(each.outer.getUnitOfWork(false));
  }
}

/** MikroORM knows again what was removed. */
function bringBack({ em, removed }: KeptWork): object[] {
  const back = [...removed].filter(entity => undoneOf(entity).at(-1)?.stored !== undefined);
  for (const entity of back) {
    em.getUnitOfWork(false).getIdentityMap().store(entity);
    removed.delete(entity);
  }
  return back;
}

/** What savepoints took back of it, the last first. */
function undoneOf(entity: object): readonly Before[] {
  const undone: Before[] = [];
  for (let last = flushed.get(helper(entity)); last?.flush.isTakenBack === true; last = last.earlier) undone.push(last);
  return undone;
}

function takeBack(entity: object, em: EntityManager): void {
  const undone = undoneOf(entity);
  const first = undone.at(-1);
  if (first?.stored === undefined) return;
  putBack({ entity, stored: first.stored, initialized: first.initialized }, em);
  for (const { made, collections } of undone) {
    for (const [name, before] of made) Reflect.set(entity, name, before);
    for (const each of collections) takeBackItems(each);
  }
  flushed.set(helper(entity), first.earlier);
}

/** `entity` holds again what was stored of it, and MikroORM knows no more than that. */
export function putBack({ entity, stored = {}, initialized }: PutBack, em: EntityManager): void {
  const wrapped = helper(entity);
  hydrate(entity, stored, em);
  unsetWhatWasUnset(entity, stored, em);
  wrapped.__originalEntityData = stored;
  wrapped.__managed = true;
  wrapped.__initialized = initialized;
}

function takeBackItems({ of, stored, added }: Before['collections'][number]): void {
  if (added === undefined) of.set([...stored]);
  else for (const item of added) if (!stored.includes(item)) of.removeWithoutPropagation(item);
  of.takeSnapshot();
}

/** The inverse sides of what was taken back. They store nothing; what they hold would be persisted with their owner. */
function settleInverse(entity: object): void {
  for (const { name, kind, owner } of helper(entity).__meta.relations) {
    const isInverse = kind === ReferenceKind.ONE_TO_MANY || (kind === ReferenceKind.MANY_TO_MANY && owner !== true);
    const held: unknown = isInverse ? Reflect.get(entity, name) : undefined;
    if (!Utils.isCollection<object>(held)) continue;
    for (const item of held.getItems(false)) if (isMade(item)) held.removeWithoutPropagation(item);
    if (held.isDirty()) held.takeSnapshot();
  }
}

/** It was new to the savepoint that is undone. */
function isMade(entity: object): boolean {
  const first = undoneOf(entity).at(-1);
  return first !== undefined && first.stored === undefined;
}

/** As MikroORM does when it loads an entity. */
function hydrate(entity: object, stored: Data, em: EntityManager): void {
  const { __meta: meta, __schema: schema } = helper(entity);
  const data: Data = Utils.copy(stored);
  for (const property of meta.props) if (property.name in data) makeRaw(data, property, em);
  const hydrator = em.config.getHydrator(em.getMetadata());
  hydrator.hydrate(entity, meta, data, em.getEntityFactory(), 'full', false, true, schema);
}

/** What is stored has no value for it, not even null. */
function unsetWhatWasUnset(entity: object, stored: Data, em: EntityManager): void {
  const { __meta: meta, __loadedProperties: loaded } = helper(entity);
  const { props, class: type } = meta;
  const comparator = em.getComparator();
  const changed = comparator.diffEntities(type, stored, comparator.prepareEntity(entity));
  const properties: Properties = new Map(props.map(property => [property.name, property]));
  for (const property of props) {
    if (property.primary === true || !(property.name in changed) || !isUnset(property, stored)) continue;
    unset(entity, property);
    loaded.delete(property.name);
  }

  function unset(holder: object, property: EntityProperty): void {
    const parent = property.embedded && properties.get(property.embedded[0]);
    if (parent === undefined) Reflect.set(holder, property.name, undefined);
    else if (isUnset(parent, stored)) unset(holder, parent);
    else Reflect.set(Object(heldOf(holder, parent, properties)), String(property.embedded?.[1]), undefined);
  }
}

/** An embedded object in columns of its own is made of those. */
function isUnset({ name, kind, object, array, embeddedProps }: EntityProperty, stored: Data): boolean {
  const isColumns = kind === ReferenceKind.EMBEDDED && object !== true && array !== true;
  return isColumns ? Object.values(embeddedProps).every(each => isUnset(each, stored)) : !(name in stored);
}

function heldOf(entity: object, { name, embedded }: EntityProperty, properties: Properties): unknown {
  const parent = embedded && properties.get(embedded[0]);
  if (parent === undefined) return Reflect.get(entity, name);
  return Reflect.get(Object(heldOf(entity, parent, properties)), String(embedded?.[1]));
}

/** MikroORM has taken what it removed out of all that referred to it. */
function referAgain(entity: object, em: EntityManager): void {
  const map = em.getUnitOfWork(false).getIdentityMap();
  for (const { meta, prop } of helper(entity).__meta.referencingProperties) {
    for (const referrer of map.getStore(meta).values()) {
      const held: unknown = Reflect.get(referrer, prop.name);
      if (Utils.isCollection<object>(held)) {
        const stored = held.getSnapshot();
        if (stored?.includes(entity) === true) {
          held.set([...stored]);
          held.takeSnapshot();
        }
      } else if (held === undefined) {
        const stored: unknown = Reflect.get(helper(referrer).__originalEntityData ?? {}, prop.name);
        if (stored !== undefined) hydrate(referrer, { [prop.name]: stored }, em);
      }
    }
  }
}

/** A snapshot holds JSON as text, which a server has read before; the rows of collections are left as they are. */
function makeRaw(data: Data, { name, kind, customType }: EntityProperty, em: EntityManager): void {
  const platform = em.getPlatform();
  if (kind === ReferenceKind.MANY_TO_MANY || kind === ReferenceKind.ONE_TO_MANY) Reflect.deleteProperty(data, name);
  else if (customType instanceof JsonType && platform.convertsJsonAutomatically()) {
    const text: unknown = Reflect.get(data, name);
    if (typeof text === 'string') Reflect.set(data, name, customType.convertToJSValue(text, platform, jsonOfSnapshot));
  }
}
