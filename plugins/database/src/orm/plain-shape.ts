import {
  type EntityMetadata,
  type EntityProperty,
  JsonType,
  type Platform,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import type { PlainValue } from './lesson.js';

/** A read of one entity that compares properties with values, and asks for nothing else. */
export interface PlainShape {
  /** The entity and the names of the compared properties, in their order. */
  readonly name: string;
  readonly values: readonly PlainValue[];
}

/** Undefined when something in `where` is more than a property that equals a value. */
export function plainShapeOf(meta: EntityMetadata, where: unknown, platform: Platform): PlainShape | undefined {
  if (isPlainValue(where)) return shapeOfKey(meta, where, platform);
  if (!Utils.isPlainObject(where)) return undefined;
  let name = meta.uniqueName;
  const values: PlainValue[] = [];
  for (const key of Reflect.ownKeys(where)) {
    const value = comparedValue(meta, key, Reflect.get(where, key), platform);
    if (value === undefined) return undefined;
    name += ` ${String(key)}`;
    values.push(value);
  }
  return values.length === 0 ? undefined : { name, values };
}

function shapeOfKey(meta: EntityMetadata, value: PlainValue, platform: Platform): PlainShape | undefined {
  const [key, ...others] = meta.primaryKeys;
  return key === undefined || others.length > 0 ? undefined : plainShapeOf(meta, { [key]: value }, platform);
}

/** The value as the database gets it. MikroORM converts the same value in the same way. */
function comparedValue(
  meta: EntityMetadata,
  key: PropertyKey,
  value: unknown,
  platform: Platform,
): PlainValue | undefined {
  if (!isPlainValue(value) || !Object.hasOwn(meta.properties, key)) return undefined;
  const { kind, customType }: EntityProperty = Reflect.get(meta.properties, key);
  if (kind !== ReferenceKind.SCALAR) return undefined;
  if (customType === undefined) return value;
  if (customType instanceof JsonType || 'convertToDatabaseValueSQL' in customType) return undefined;
  const converted: unknown = customType.convertToDatabaseValue(value, platform, { fromQuery: true, mode: 'query' });
  return isPlainValue(converted) ? converted : undefined;
}

function isPlainValue(value: unknown): value is PlainValue {
  return (
    typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
  );
}

/** True when the text of a read depends on its conditions alone, and its result on the row alone. */
export function isPlainEntity(meta: EntityMetadata): boolean {
  if (meta.virtual === true || meta.root !== meta || meta.inheritanceType !== undefined || isFiltered(meta))
    return false;
  return meta.props.every(isPlainProperty);
}

function isPlainProperty({ eager, formula, polymorphic, kind, owner, filters, targetMeta }: EntityProperty): boolean {
  if (eager === true || formula !== undefined || polymorphic === true || filters !== undefined) return false;
  // MikroORM joins the owner of an inverse side.
  if (kind === ReferenceKind.ONE_TO_ONE && !owner) return false;
  return targetMeta === undefined || !isFiltered(targetMeta);
}

function isFiltered({ filters }: EntityMetadata): boolean {
  return filters !== undefined && Object.keys(filters).length > 0;
}
