import { type AnyEntity, type EntityData, helper } from '@mikro-orm/core';
import type { EntityManager } from './entity-manager.js';
import { putBack } from './taken-back.js';

/** What MikroORM knew of an entity when a part began. */
export interface Known {
  readonly entity: object;
  readonly stored: EntityData<AnyEntity> | undefined;
  readonly initialized: boolean;
}

/** Copies: MikroORM changes what it knows in place, too. */
export function knownOf(em: EntityManager): readonly Known[] {
  return Array.from(em.getUnitOfWork(false).getIdentityMap(), entity => {
    const { __originalEntityData: stored, __initialized: initialized } = helper(entity);
    return { entity, stored: stored && { ...stored }, initialized };
  });
}

/**
 * A part was undone after which MikroORM knows something else of `known`, though no flush has stored it: an upsert, or a
 * read of what the part had changed by statements. The entities are again what they were before.
 */
export function knowAgain(known: readonly Known[], em: EntityManager): void {
  for (const each of known) if (!isStillKnown(each)) putBack(each, em);
}

function isStillKnown({ entity, stored, initialized }: Known): boolean {
  const { __originalEntityData: held, __initialized } = helper(entity);
  if (initialized !== __initialized) return false;
  if (stored === undefined || held === undefined) return stored === held;
  const names = Object.keys(held);
  const isSame = (name: string) => Object.is(Reflect.get(held, name), Reflect.get(stored, name));
  return names.length === Object.keys(stored).length && names.every(isSame);
}
