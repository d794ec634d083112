import {
  type EntityMetadata,
  type EntityProperty,
  isRaw,
  type Platform,
  QueryHelper,
  Reference,
  Utils,
} from '@mikro-orm/core';
import { isStorable } from '../driver/unstorable.js';
import { ValidationError } from '../errors/validation-error.js';
import { copyLine, textOf } from './copy-text.js';

/** One COPY. */
export interface CopyGroup {
  readonly sql: string;
  readonly lines: readonly string[];
  /** Of each line: which row of the chunk it is, from 0. */
  readonly indexes: readonly number[];
}

type Row = Readonly<Record<string, unknown>>;

/** Rows that name the same columns, and which rows of the chunk they are. */
export interface RowGroup<R extends Row> {
  readonly names: readonly string[];
  readonly rows: R[];
  readonly indexes: number[];
}

export function groupByColumns<R extends Row>(rows: readonly R[]): RowGroup<R>[] {
  const groups = new Map<string, RowGroup<R>>();
  for (const [index, row] of rows.entries()) {
    const names = Object.keys(row).sort();
    const key = names.join('\0');
    const group = groups.get(key) ?? { names, rows: [], indexes: [] };
    groups.set(key, group);
    group.rows.push(row);
    group.indexes.push(index);
  }
  return [...groups.values()];
}

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

  /**
   * Undefined when the type of a property writes a value in SQL, which COPY cannot evaluate.
   *
   * @throws ValidationError naming the row and the property whose value has no text.
   */
  group(rows: readonly Row[], firstItem: number): CopyGroup[] | undefined {
    try {
      return this.#group(rows, firstItem);
    } catch (error) {
      if (error instanceof WrittenInSql) return undefined;
      throw error;
    }
  }

  #group(rows: readonly Row[], firstItem: number): CopyGroup[] {
    return groupByColumns(rows).map(({ names, rows: taken, indexes }) => {
      const properties = names.map(name => this.#meta.properties[name]).filter(property => property !== undefined);
      const lines = taken.map((row, index) =>
        copyLine(properties.map(each => this.#text(each, row[each.name], firstItem + (indexes[index] ?? 0)))),
      );
      return { sql: this.#sql(properties), lines, indexes };
    });
  }

  /**
   * Which line of a COPY into this table the server complains about, from 0. Its words are in the language of the server
   * (`lc_messages`), so only the name of the table and the first number behind it are read.
   */
  lineOf(error: unknown): number | undefined {
    const where: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'where') : undefined;
    const start = `COPY ${this.#meta.tableName},`;
    const context = typeof where === 'string' ? where.split('\n').find(line => line.startsWith(start)) : undefined;
    const line = Number(/\d+/.exec(context?.slice(start.length) ?? '')?.[0]);
    return line > 0 ? line - 1 : undefined;
  }

  #text(property: EntityProperty, given: unknown, item: number): string | null {
    const path = `/${item}/${property.name}`;
    const text = this.#converted(property, given, path);
    if (text === null || isStorable(text)) return text;
    throw new ValidationError([{ path, message: 'holds a character that PostgreSQL cannot store' }]);
  }

  #converted(property: EntityProperty, given: unknown, path: string): string | null {
    try {
      const value = this.#databaseValue(property, keyOf(given));
      if (isRaw(value)) throw new WrittenInSql();
      return textOf(value, this.#dateText);
    } catch (error) {
      if (error instanceof WrittenInSql) throw error;
      throw new ValidationError([{ path, message: 'does not fit the type of its property' }]);
    }
  }

  /** As MikroORM's `insertMany` does it. */
  #databaseValue(property: EntityProperty, given: unknown): unknown {
    if (given === null && property.nullable === true) return null;
    if (property.customType === undefined) return given;
    const context = { key: property.name, mode: 'query-data' } as const;
    return property.customType.convertToDatabaseValue(given, this.#platform, context);
  }

  readonly #dateText = (date: Date): string => String(this.#platform.quoteValue(date)).slice(1, -1);

  #sql(properties: readonly EntityProperty[]): string {
    const columns = properties.map(({ fieldNames, name }) => quoted(fieldNames[0] ?? name));
    return `copy ${this.#table} (${columns.join(', ')}) from stdin`;
  }
}

/** The value of a row is an expression, as that of `to_tsvector` is. */
class WrittenInSql extends Error {}

/** A relation may be given as the entity itself. */
function keyOf(value: unknown): unknown {
  return Utils.isEntity(value) || Reference.isReference(value) ? QueryHelper.processParams(value) : value;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
