import {
  type EntityMetadata,
  type EntityProperty,
  isRaw,
  type Platform,
  QueryHelper,
  Reference,
  types,
  Utils,
} from '@mikro-orm/core';
import { isStorable } from '../driver/unstorable.js';
import { ValidationError } from '../errors/validation-error.js';
import { copyField, textOf } from './copy-text.js';
import { DateTexts } from './date-texts.js';

/** One COPY. */
export interface CopyGroup {
  readonly sql: string;
  /**
   * What is sent, cut where a line ends; read once. Each is made while the server works on the one before, and so may throw
   * a ValidationError that names the row and the property whose value has no text.
   */
  readonly pieces: Iterable<string>;
  /** Of each line: which row of the chunk it is, from 0. */
  readonly indexes: readonly number[];
}

/** Of a piece of text that is sent, in characters. */
const pieceLength = 65_536;

type Row = Readonly<Record<string, unknown>>;

/** Rows that name the same columns, and which rows of the chunk they are. */
export interface RowGroup<R extends Row> {
  readonly names: readonly string[];
  readonly rows: R[];
  readonly indexes: number[];
}

export function groupByColumns<R extends Row>(rows: readonly R[]): RowGroup<R>[] {
  const groups = new Map<string, RowGroup<R>>();
  let last: { readonly keys: readonly string[]; readonly group: RowGroup<R> } | undefined;
  for (const [index, row] of rows.entries()) {
    const keys = Object.keys(row);
    // Most rows name the same columns as the one before, in the same order.
    if (last === undefined || !isSameList(keys, last.keys)) last = { keys, group: groupOf(keys, groups) };
    last.group.rows.push(row);
    last.group.indexes.push(index);
  }
  return [...groups.values()];
}

function groupOf<R extends Row>(keys: readonly string[], groups: Map<string, RowGroup<R>>): RowGroup<R> {
  const names = keys.toSorted();
  const key = names.join('\0');
  const group = groups.get(key) ?? { names, rows: [], indexes: [] };
  groups.set(key, group);
  return group;
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** Writes rows of one entity as lines for COPY, with MikroORM's own conversions. */
export class CopyRows {
  readonly #meta: EntityMetadata;
  readonly #platform: Platform;
  readonly #dates: DateTexts;
  readonly #table: string;

  constructor(meta: EntityMetadata, platform: Platform) {
    this.#meta = meta;
    this.#platform = platform;
    this.#dates = new DateTexts(platform);
    this.#table = [meta.schema, meta.tableName]
      .filter(name => name !== undefined)
      .map(quoted)
      .join('.');
  }

  /**
   * Undefined when the type of a property writes a value in SQL, which COPY cannot evaluate.
   *
   * @throws ValidationError as `pieces` does, where it must look at all values before.
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
      const pieces = this.#pieces(properties, taken, item => firstItem + (indexes[item] ?? 0));
      return { sql: this.#sql(properties), pieces: properties.some(mayWriteSql) ? [...pieces] : pieces, indexes };
    });
  }

  *#pieces(properties: readonly EntityProperty[], rows: readonly Row[], itemOf: (row: number) => number) {
    let piece = '';
    for (const [index, row] of rows.entries()) {
      piece += this.#line(properties, row, itemOf(index));
      if (piece.length < pieceLength) continue;
      yield piece;
      piece = '';
    }
    if (piece !== '') yield piece;
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

  #line(properties: readonly EntityProperty[], row: Row, item: number): string {
    let line = '';
    for (const property of properties) {
      const field = this.#field(property, row[property.name], item);
      line += property === properties[0] ? field : `\t${field}`;
    }
    return `${line}\n`;
  }

  #field(property: EntityProperty, given: unknown, item: number): string {
    const text = this.#converted(property, given, item);
    if (text === null || isStorable(text)) return copyField(text);
    throw new ValidationError([
      { path: pathOf(property, item), message: 'holds a character that PostgreSQL cannot store' },
    ]);
  }

  #converted(property: EntityProperty, given: unknown, item: number): string | null {
    try {
      const value = this.#databaseValue(property, keyOf(given));
      if (isRaw(value)) throw new WrittenInSql();
      return textOf(value, this.#dateText);
    } catch (error) {
      if (error instanceof WrittenInSql) throw error;
      throw new ValidationError([{ path: pathOf(property, item), message: 'does not fit the type of its property' }]);
    }
  }

  /** As MikroORM's `insertMany` does it. */
  #databaseValue(property: EntityProperty, given: unknown): unknown {
    if (given === null && property.nullable === true) return null;
    if (property.customType === undefined) return given;
    const context = { key: property.name, mode: 'query-data' } as const;
    return property.customType.convertToDatabaseValue(given, this.#platform, context);
  }

  readonly #dateText = (date: Date): string => this.#dates.textOf(date);

  #sql(properties: readonly EntityProperty[]): string {
    const columns = properties.map(({ fieldNames, name }) => quoted(fieldNames[0] ?? name));
    return `copy ${this.#table} (${columns.join(', ')}) from stdin`;
  }
}

/** The value of a row is an expression, as that of `to_tsvector` is. */
class WrittenInSql extends Error {}

const typesOfMikroOrm: ReadonlySet<unknown> = new Set(Object.values(types));

/** A type of the service may write a value in SQL; those of MikroORM write none in values. */
function mayWriteSql({ customType }: EntityProperty): boolean {
  return customType !== undefined && !typesOfMikroOrm.has(customType.constructor);
}

function pathOf({ name }: EntityProperty, item: number): string {
  return `/${item}/${name}`;
}

/** A relation may be given as the entity itself. */
function keyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Utils.isEntity(value) || Reference.isReference(value) ? QueryHelper.processParams(value) : value;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
