import {
  type EntityMetadata,
  type EntityProperty,
  isRaw,
  JsonType,
  type Platform,
  ReferenceKind,
  Type,
  Utils,
} from '@mikro-orm/core';
import type { PlainValue } from './text-recorder.js';

/** A statement about one entity that uses values of its properties, and asks for nothing else. */
export interface PlainShape {
  /** What its text depends on. */
  readonly name: string;
  /** The values of its parameters, in their order. */
  readonly values: readonly PlainValue[];
}

const operators = new Set(['$eq', '$ne', '$gt', '$gte', '$lt', '$lte']);

/** A read of the row whose properties have the values of `where`. Undefined when `where` is more than that. */
export function plainReadShape(meta: EntityMetadata, where: unknown, platform: Platform): PlainShape | undefined {
  const shape = new ShapeOf(meta, platform, 'read');
  return shape.compares(where) ? shape : undefined;
}

/** An update of the rows that match `where`. Undefined when one of the two needs more than values of properties. */
export function plainUpdateShape(
  meta: EntityMetadata,
  where: unknown,
  data: unknown,
  platform: Platform,
): PlainShape | undefined {
  const shape = new ShapeOf(meta, platform, 'update');
  return shape.sets(data) && shape.compares(where, operators) ? shape : undefined;
}

/** Each method adds to the shape, or returns false for what no shape can have. */
class ShapeOf implements PlainShape {
  readonly values: PlainValue[] = [];
  name: string;
  readonly #meta: EntityMetadata;
  readonly #platform: Platform;

  constructor(meta: EntityMetadata, platform: Platform, statement: 'read' | 'update') {
    this.#meta = meta;
    this.#platform = platform;
    this.name = `${statement} ${meta.uniqueName}`;
  }

  compares(where: unknown, allowed?: ReadonlySet<string>): boolean {
    if (isPlainValue(where)) return this.#comparesKey(where);
    if (!Utils.isPlainObject(where)) return false;
    this.name += ' where';
    const keys = Reflect.ownKeys(where);
    return keys.length > 0 && keys.every(key => this.#compares(key, Reflect.get(where, key), allowed));
  }

  sets(data: unknown): boolean {
    if (!Utils.isPlainObject(data)) return false;
    this.name += ' set';
    const keys = Reflect.ownKeys(data);
    return keys.length > 0 && keys.every(key => this.#sets(key, Reflect.get(data, key)));
  }

  #comparesKey(value: PlainValue): boolean {
    const [key, ...others] = this.#meta.primaryKeys;
    return key !== undefined && others.length === 0 && this.compares({ [key]: value });
  }

  #compares(key: PropertyKey, value: unknown, allowed: ReadonlySet<string> | undefined): boolean {
    if (isPlainValue(value)) return this.#adds(key, '=', value);
    if (allowed === undefined || !Utils.isPlainObject(value)) return false;
    const [operator, ...others] = Reflect.ownKeys(value);
    if (typeof operator !== 'string' || others.length > 0 || !allowed.has(operator)) return false;
    const compared: unknown = Reflect.get(value, operator);
    return isPlainValue(compared) && this.#adds(key, operator, compared);
  }

  /** The value as the database gets it: MikroORM converts it in the same way. */
  #adds(key: PropertyKey, operator: string, value: PlainValue): boolean {
    const property = this.#scalar(key);
    if (property === undefined) return false;
    const { customType } = property;
    if (customType instanceof JsonType || (customType && 'convertToDatabaseValueSQL' in customType)) return false;
    const context = { fromQuery: true, mode: 'query' } as const;
    const converted: unknown = customType?.convertToDatabaseValue(value, this.#platform, context) ?? value;
    if (!isPlainValue(converted)) return false;
    this.name += ` ${property.name} ${operator}`;
    this.values.push(converted);
    return true;
  }

  #sets(key: PropertyKey, value: unknown): boolean {
    const property = this.#scalar(key);
    if (property === undefined || converts(property)) return false;
    if (isPlainValue(value)) {
      this.name += ` ${property.name}`;
      this.values.push(value);
      return true;
    }
    if (!isRaw(value) || !value.params.every(isPlainValue)) return false;
    // With its length, so that a text that reads like more properties is not taken for them.
    this.name += ` ${property.name} = ${value.sql.length} ${value.sql}`;
    this.values.push(...value.params);
    return true;
  }

  #scalar(key: PropertyKey): EntityProperty | undefined {
    const { properties } = this.#meta;
    const property: EntityProperty | undefined = Object.hasOwn(properties, key)
      ? Reflect.get(properties, key)
      : undefined;
    return property?.kind === ReferenceKind.SCALAR ? property : undefined;
  }
}

function converts({ customType }: EntityProperty): boolean {
  if (customType === undefined) return false;
  const isOwn = customType.convertToDatabaseValue !== Type.prototype.convertToDatabaseValue;
  return isOwn || 'convertToDatabaseValueSQL' in customType;
}

function isPlainValue(value: unknown): value is PlainValue {
  return (
    typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
  );
}

/** True when the text of a statement depends on its shape alone, and its result on the row alone. */
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
