import { isRaw, Utils } from '@mikro-orm/core';
import type { AbstractSqlPlatform } from '@mikro-orm/sql';
import type { Statement } from '../driver/driver.js';
import { templateOf } from './placeholders.js';

/** What MikroORM writes in the place of a value. */
export type Platform = Pick<AbstractSqlPlatform, 'formatQuery' | 'quoteValue'>;

/**
 * A statement of MikroORM with its values as parameters, each of the type that its literal would have had, so that
 * nothing resolves differently. Where that cannot be promised (`templateOf`), the values stay in the text.
 */
export function boundStatement(platform: Platform, sql: string, values: readonly unknown[]): Statement {
  if (values.length === 0) return { sql, recurs: templateOf(sql) !== undefined };
  return parametrized(platform, sql, values) ?? { sql: platform.formatQuery(sql, values) };
}

/** The protocol counts parameters in 16 bits. */
const mostParameters = 32_767;
/** A longer text is a batch of rows, and each batch has its own length. */
const mostRecurring = 100;

function parametrized(platform: Platform, given: string, givenValues: readonly unknown[]): Statement | undefined {
  const { sql, values } = spliced(given, givenValues);
  if (values.length > mostParameters) return undefined;
  const template = templateOf(sql);
  if (template === undefined || template.slots.length !== values.length) return undefined;
  const parameters: (string | null)[] = new Array(values.length);
  const types: number[] = new Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    const type = typeOf(value);
    if (template.slots[at] === 'number' && !Number.isFinite(value)) return undefined;
    const text = type === undefined ? undefined : textOf(platform, value);
    if (type === undefined || text === undefined) return undefined;
    types[at] = type;
    parameters[at] = text;
  }
  return { sql: template.sql, parameters, types, recurs: values.length <= mostRecurring };
}

const inferred = 0;
const boolean = 16;
const int8 = 20;
const int4 = 23;
const numeric = 1700;

/** The type of the literal (PostgreSQL manual, 4.1.2.6); `inferred` for one in quotes, undefined for no literal. */
function typeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? typeOfNumber(value) : inferred;
  if (typeof value === 'boolean') return boolean;
  return value === undefined || typeof value === 'symbol' || typeof value === 'function' ? undefined : inferred;
}

function typeOfNumber(value: number): number {
  if (!Number.isInteger(value)) return numeric;
  if (value >= -(2 ** 31) && value < 2 ** 31) return int4;
  // The digits of -(2 ** 63) are rounded to a number that is smaller.
  return Math.abs(value) < 2 ** 63 ? int8 : numeric;
}

/** As MikroORM writes it in a literal, without the quotes. */
function textOf(platform: Platform, value: unknown): string | null | undefined {
  if (value === null) return null;
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return Object.is(value, -0) ? '0' : String(value);
  if (value instanceof Date) return unquoted(platform.quoteValue(value));
  if (ArrayBuffer.isView(value))
    return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  return isJson(value) ? JSON.stringify(value) : undefined;
}

function unquoted(literal: unknown): string | undefined {
  return typeof literal === 'string' ? literal.slice(1, -1) : undefined;
}

/** MikroORM marks embedded values that are stored as JSON. */
function isJson(value: object): boolean {
  return (
    Utils.isPlainObject(value) ||
    Object.getOwnPropertySymbols(value).some(({ description }) => description === 'JsonProperty')
  );
}

interface Spliced {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** Fragments of SQL take the place of their placeholder, and so do the items of a list. */
export function spliced(sql: string, values: readonly unknown[]): Spliced {
  if (!values.some(value => isRaw(value) || isList(value))) return { sql, values };
  const flat: unknown[] = [];
  let next = 0;
  const text = sql.replaceAll(/\\\?|\?/g, found => {
    if (found !== '?') return found;
    const value = values[next++];
    if (isRaw(value)) {
      const inner = value.params.length === 0 ? { sql: value.sql, values: [] } : spliced(value.sql, value.params);
      flat.push(...inner.values);
      return inner.sql;
    }
    if (!isList(value)) {
      flat.push(value);
      return found;
    }
    const items: unknown[] = value.flat(Number.POSITIVE_INFINITY);
    flat.push(...items);
    return items.map(() => '?').join(', ');
  });
  return { sql: text, values: flat };
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && !isJson(value);
}
