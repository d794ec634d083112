import {
  type EntityMetadata,
  type EntityProperty,
  isRaw,
  JsonType,
  type Platform,
  QueryHelper,
  Reference,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';
import { isStorable } from '../driver/unstorable.js';
import { ValidationError } from '../errors/validation-error.js';
import { copyLine, textOf } from './copy-text.js';

/** Rows that name the same columns: one COPY. */
export interface CopyGroup {
  readonly sql: string;
  readonly lines: readonly string[];
  /** Of each line: which row of the chunk it is. */
  readonly rows: readonly number[];
}

type Row = Readonly<Record<string, unknown>>;

/** Writes rows of one entity as lines for COPY, with MikroORM's own conversions. */
export class CopyRows {
  readonly #meta: EntityMetadata;
  readonly #platform: Platform;
  readonly #table: string;

  constructor(meta: EntityMetadata, platform: Platform) {
    this.#meta = meta;
    this.#platform = platform;
    this.#table = [meta.schema, meta.tableName]
      .filter(name => name !== undefined)
      .map(quoted)
      .join('.');
  }

  /** True for a plain table: an entity of its own, in a schema that is known. */
  get possible(): boolean {
    const { root, virtual, schema, inheritanceType } = this.#meta;
    return root === this.#meta && virtual !== true && schema !== '*' && inheritanceType === undefined;
  }

  /** Undefined when a row holds what only an INSERT can say: an expression, a composite key, a type made by SQL. */
  group(rows: readonly Row[], firstItem: number): CopyGroup[] | undefined {
    const groups = new Map<string, { properties: EntityProperty[]; lines: string[]; rows: number[] }>();
    for (const [index, row] of rows.entries()) {
      if (Utils.isEntity(row)) return undefined;
      const names = Object.keys(row).filter(name => row[name] !== undefined);
      const key = names.join('\0');
      const group = groups.get(key) ?? this.#newGroup(names);
      if (group === undefined || names.some(name => isRaw(row[name]))) return undefined;
      groups.set(key, group);
      group.lines.push(copyLine(group.properties.map(each => this.#text(each, row[each.name], firstItem + index))));
      group.rows.push(index);
    }
    return [...groups.values()].map(({ properties, lines, rows: taken }) => ({
      sql: this.#sql(properties),
      lines,
      rows: taken,
    }));
  }

  /** Which line of a COPY into this table the server complains about, from 0. */
  lineOf(error: unknown): number | undefined {
    const where: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'where') : undefined;
    const start = `COPY ${this.#meta.tableName}, line `;
    if (typeof where !== 'string' || !where.startsWith(start)) return undefined;
    const line = Number.parseInt(where.slice(start.length), 10);
    return line > 0 ? line - 1 : undefined;
  }

  #newGroup(names: string[]) {
    const properties = names.map(name => this.#meta.properties[name]).filter(property => property !== undefined);
    if (names.length === 0 || properties.length < names.length || !properties.every(isPlain)) return undefined;
    return { properties, lines: [], rows: [] };
  }

  #text(property: EntityProperty, given: unknown, item: number): string | null {
    const path = `/${item}/${property.name}`;
    const text = this.#converted(property, given, path);
    if (text === null || isStorable(text)) return text;
    throw new ValidationError([{ path, message: 'holds a character that PostgreSQL cannot store' }]);
  }

  #converted(property: EntityProperty, given: unknown, path: string): string | null {
    try {
      return textOf(this.#databaseValue(property, keyOf(given)), this.#dateText);
    } catch {
      throw new ValidationError([{ path, message: 'does not fit the type of its property' }]);
    }
  }

  /** As MikroORM's `insertMany` does it. */
  #databaseValue(property: EntityProperty, given: unknown): unknown {
    if (given === null && property.nullable === true) return null;
    const value = given ?? property.default;
    if (property.customType === undefined) return value;
    const context = { key: property.name, mode: 'query-data' } as const;
    return property.customType.convertToDatabaseValue(value, this.#platform, context);
  }

  readonly #dateText = (date: Date): string => String(this.#platform.quoteValue(date)).slice(1, -1);

  #sql(properties: readonly EntityProperty[]): string {
    const columns = properties.map(({ fieldNames, name }) => quoted(fieldNames[0] ?? name));
    return `copy ${this.#table} (${columns.join(', ')}) from stdin`;
  }
}

function isPlain(property: EntityProperty): boolean {
  if (property.fieldNames?.length !== 1 || property.embeddedProps !== undefined || property.polymorphic === true)
    return false;
  if (property.kind === ReferenceKind.MANY_TO_MANY || property.kind === ReferenceKind.ONE_TO_MANY) return false;
  return property.customType instanceof JsonType || property.hasConvertToDatabaseValueSQL !== true;
}

/** A relation may be given as the entity itself. */
function keyOf(value: unknown): unknown {
  return Utils.isEntity(value) || Reference.isReference(value) ? QueryHelper.processParams(value) : value;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
