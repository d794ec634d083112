import { ArrayType, type EntityProperty, type MikroORM } from '@mikro-orm/core';
import type { AbstractSqlDriver, AbstractSqlPlatform } from '@mikro-orm/sql';
import { arrayText } from '../batch/copy-text.js';

/**
 * MikroORM's array literal loses bytes, line breaks, outer spaces, the text "null" and all dimensions but one. It converts the
 * items of an array only one level deep, so that of the rows of `{{1,2},{3,4}}` it makes `NaN`, and of a null a value.
 */
export function keepWholeArrays(orm: MikroORM<AbstractSqlDriver>): void {
  const platform = orm.driver.getPlatform();
  const dateText = (date: Date) => String(platform.quoteValue(date)).slice(1, -1);
  Object.assign(platform, { marshallArray: (values: readonly unknown[]) => arrayText(values, dateText) });
  for (const { props } of orm.getMetadata().getAll().values()) {
    for (const property of props) {
      const { customType } = property;
      if (customType instanceof ArrayType) convertEachItem(customType, property, platform);
    }
  }
}

/** The entities of several services have the same types. */
const converting = new WeakSet<ArrayType<unknown>>();

type Convert = (item: unknown) => unknown;

function convertEachItem(
  type: ArrayType<unknown>,
  { columnTypes, array }: EntityProperty,
  platform: AbstractSqlPlatform,
): void {
  if (converting.has(type)) return;
  converting.add(type);
  const toJs = conversion(Reflect.get(type, 'toJsValue'));
  const toDb = conversion(Reflect.get(type, 'toDbValue'));
  const [column = ''] = columnTypes ?? [];
  // With `.array()`, the items have a type of their own; `p.array()` leaves them to its two functions.
  const read = array === true ? withType(toJs, column, platform) : toJs;
  Object.assign(type, { toJsValue: each(read), toDbValue: isSimple(column) ? each(toDb) : unlessNull(toDb) });
}

function conversion(value: unknown): Convert {
  return typeof value === 'function' ? item => Reflect.apply(value, undefined, [item]) : item => item;
}

/** An array in an array is a dimension of it. */
function each(convert: Convert): Convert {
  const convertItem: Convert = item => (Array.isArray(item) ? item.map(convertItem) : unlessNull(convert)(item));
  return convertItem;
}

function unlessNull(convert: Convert): Convert {
  return item => (item === null || item === undefined ? item : convert(item));
}

const simple =
  /^(?:(?:small|big)?int(?:eger|\d)?|numeric|decimal|real|double|float\d?|bool(?:ean)?|bytea|date|time(?:stamp)?(?:tz)?|uuid)\b/i;

/** A type of one's own may write an array as one item, though hardly as a number or as bytes. */
function isSimple(column: string): boolean {
  return simple.test(column);
}

/** MikroORM does not give the items the types that a single value of the same kind has. */
function withType(convert: Convert, column: string, platform: AbstractSqlPlatform): Convert {
  if (/^(?:real|double|float)/i.test(column)) return item => (typeof item === 'number' ? item : convert(item));
  if (!/^timestamp(?:tz|.*with time zone)/i.test(column)) return convert;
  return item => {
    const converted = convert(item);
    return typeof converted === 'string' ? platform.parseDate(converted) : converted;
  };
}
