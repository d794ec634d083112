import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type AnyEntity,
  type Collection,
  type EntityData,
  helper,
  ReferenceKind,
  type UnitOfWork,
  Utils,
} from '@mikro-orm/core';
import type { WorkMark } from '../transaction/work-mark.js';
import type { EntityManager } from './entity-manager.js';
import type { KeptWork } from './kept-work.js';
import { Mark } from './marks.js';
import { transactionOf } from './session-connection.js';

/** What MikroORM knew of an entity before it was flushed. */
export interface Before {
  readonly flush: WorkMark;
  /** Undefined for one that was new. */
  readonly stored: EntityData<AnyEntity> | undefined;
  /** False for a reference whose values were never loaded. */
  readonly initialized: boolean;
  /** What the flush makes: keys that were not given, and the version. */
  readonly made: readonly (readonly [name: string, before: unknown])[];
  readonly collections: readonly BeforeOf[];
  /** The same before an earlier flush of the same transaction. */
  readonly earlier: Before | undefined;
}

interface BeforeOf {
  readonly of: Collection<object>;
  readonly stored: readonly object[];
  /** Of one that was not loaded: all that it held. */
  readonly added: readonly object[] | undefined;
}

export const flushed = new Mark<Before | undefined>('keelson.flushed');

/** Notes what MikroORM knew of the entities that `work` has just computed changes for, before its flush stores them. */
export function noteFlush(work: UnitOfWork, { em, marks }: KeptWork): void {
  const flush = transactionOf(em.getTransactionContext())?.markWork();
  if (flush === undefined) return;
  marks.push(flush);
  for (const { entity } of work.getChangeSets()) note(entity, flush);
  for (const { owner } of work.getCollectionUpdates()) note(owner, flush);
}

interface Upsert {
  readonly mark: WorkMark;
  /** The properties of which data were given. */
  readonly names: ReadonlySet<string>;
}

const insideUpsert = new AsyncLocalStorage<Upsert>();

/** An upsert stores what it is `given`, entities or data, without a flush. */
export async function notingUpsert<T>(
  given: readonly object[],
  em: EntityManager,
  upsert: () => Promise<T>,
): Promise<T> {
  const mark = transactionOf(em.getTransactionContext())?.markWork();
  if (mark === undefined) return upsert();
  const entities = given.filter(each => Utils.isEntity(each));
  for (const entity of entities) note(entity, mark);
  const names = new Set(given.filter(each => !entities.includes(each)).flatMap(each => Object.keys(each)));
  try {
    return await insideUpsert.run({ mark, names }, upsert);
  } finally {
    mark.end();
  }
}

/** MikroORM takes `entity` for stored, as it does with what an upsert has made of data; it still knows what was before. */
export function noteUpserted(entity: object): void {
  const { mark, names } = insideUpsert.getStore() ?? {};
  if (mark === undefined || names === undefined) return;
  const { primaryKeys, versionProperty } = helper(entity).__meta;
  const isNew = helper(entity).__originalEntityData === undefined;
  const made = isNew
    ? [...primaryKeys, ...(versionProperty ? [versionProperty] : [])].filter(name => !names.has(name))
    : [];
  note(entity, mark, isNew ? made.map(name => [name, undefined]) : undefined);
}

function note(entity: object, flush: WorkMark, made: Before['made'] = madeOf(entity)): void {
  const wrapped = helper(entity);
  const last = flushed.get(wrapped);
  if (last?.flush === flush) return;
  const collections = dirtyCollectionsOf(entity);
  const earlier = last?.flush.isPartOfSame(flush) === true ? last : undefined;
  if (earlier?.flush.sharesFateWith(flush) === true) {
    const added = collections.filter(({ of }) => earlier.collections.every(noted => noted.of !== of));
    flushed.set(wrapped, { ...earlier, flush, collections: [...earlier.collections, ...added] });
    return;
  }
  const { __originalEntityData: stored, __initialized: initialized } = wrapped;
  flushed.set(wrapped, { flush, stored, initialized, made, collections, earlier });
}

function madeOf(entity: object): Before['made'] {
  const { primaryKeys, versionProperty } = helper(entity).__meta;
  const keys = primaryKeys.filter(key => Reflect.get(entity, key) === undefined);
  const names: readonly string[] = versionProperty === undefined ? keys : [...keys, versionProperty];
  return names.map(name => [name, Reflect.get(entity, name)]);
}

/** Those whose rows are a table of their own, and change with this flush. */
function dirtyCollectionsOf(entity: object): Before['collections'] {
  return helper(entity).__meta.relations.flatMap(({ name, kind, owner }) => {
    if (kind !== ReferenceKind.MANY_TO_MANY || owner !== true) return [];
    const of: unknown = Reflect.get(entity, name);
    return Utils.isCollection<object>(of) && of.isDirty() ? [beforeOf(of)] : [];
  });
}

function beforeOf(of: Collection<object>): BeforeOf {
  const added = of.isInitialized() ? undefined : of.getItems(false);
  return { of, stored: [...(of.getSnapshot() ?? [])], added };
}

/**
 * Lets an entity be given again whose flush was rolled back: to a unit that runs again, or to another one. MikroORM takes
 * what it has flushed for stored whatever becomes of the transaction, and would store nothing.
 *
 * Makes the entity what it was to MikroORM before flushes that were undone; what it holds is as its owner left it.
 */
export function forgetUndone(entity: object): void {
  const wrapped = helper(entity);
  for (let last = flushed.get(wrapped); last?.flush.isUndone === true; last = last.earlier) {
    restore(entity, last);
    flushed.set(wrapped, last.earlier);
  }
}

function restore(entity: object, { stored, made, collections }: Before): void {
  const wrapped = helper(entity);
  if (stored === undefined) {
    wrapped.__managed = false;
    delete wrapped.__identifier;
    delete wrapped.__originalEntityData;
  } else wrapped.__originalEntityData = stored;
  for (const [name, before] of made) Reflect.set(entity, name, before);
  for (const { of, stored: items } of collections) {
    const held = of.getItems(false);
    of.hydrate([...items]);
    of.set(held);
  }
}
