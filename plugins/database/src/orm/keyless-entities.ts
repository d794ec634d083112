import { helper, Reference, Utils } from '@mikro-orm/core';
import { EntityWithoutKeyError } from '../errors/session-errors.js';

/**
 * MikroORM writes an entity that is a value of a statement as its key. One that is not stored yet has none: it would write
 * null, so that a relation is lost, and a condition holds for the rows without one.
 *
 * @throws EntityWithoutKeyError for such an entity in a condition, however deep.
 */
export function assertKeysIn(where: unknown): void {
  if (typeof where !== 'object' || where === null) return;
  if (Array.isArray(where)) {
    for (const each of where) assertKeysIn(each);
  } else if (isReferring(where)) assertKey(where);
  else if (Utils.isPlainObject(where)) for (const name in where) assertKeysIn(Reflect.get(where, name));
}

/**
 * The inverse side of a relation is no part of the row.
 *
 * @throws EntityWithoutKeyError for such an entity as a property of `row`, which may be an entity itself.
 */
export function assertKeysOf(row: unknown): void {
  if (typeof row !== 'object' || row === null) return;
  const names = Utils.isEntity(row) ? ownedBy(row) : Object.keys(row);
  for (const name of names) {
    const value: unknown = Reflect.get(row, name);
    if (typeof value === 'object' && value !== null && isReferring(value)) assertKey(value, name);
  }
}

function ownedBy(entity: object): string[] {
  return helper(entity).__meta.relations.flatMap(({ name, mappedBy }) => (mappedBy ? [] : [name]));
}

const inConditions = ['where', 'andWhere', 'orWhere', 'delete', 'having'];
const inRows = ['insert', 'update'];

/** The same for what `builder`, a query builder, is given. */
export function checkingKeys<Builder extends object>(builder: Builder): Builder {
  const check = (name: string, assertKeys: (given: unknown) => void) => {
    const method: unknown = Reflect.get(builder, name);
    if (typeof method !== 'function') throw new TypeError(`MikroORM has no ${name} in its query builder.`);
    const checked = (...given: unknown[]): unknown => {
      assertKeys(given[0]);
      return Reflect.apply(method, builder, given);
    };
    Object.assign(builder, { [name]: checked });
  };
  for (const name of inConditions) check(name, assertKeysIn);
  for (const name of inRows) check(name, rows => Utils.asArray(rows).forEach(assertKeysOf));
  return builder;
}

function isReferring(value: object): boolean {
  return Utils.isEntity(value) || Reference.isReference(value);
}

function assertKey(value: object, property?: string): void {
  const entity: object = Reference.unwrapReference(value);
  const wrapped = helper(entity);
  if (wrapped.hasPrimaryKey()) return;
  throw new EntityWithoutKeyError({ entity: wrapped.__meta.className, ...(property !== undefined && { property }) });
}
