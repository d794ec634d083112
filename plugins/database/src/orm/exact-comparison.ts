import { DecimalType, type EntityComparator, type EntityName, type MikroORM } from '@mikro-orm/core';

/**
 * MikroORM compares decimals as doubles: it takes another digit behind the sixteenth for no change, and never stores it. It
 * takes NaN, and a date such as `infinity`, for changed each time, so that even a read would send an UPDATE. And it makes the
 * text `null` of a decimal that an upsert finds empty.
 */
export function compareExactly(orm: MikroORM): void {
  compareNoNumbers(orm.em.getComparator());
  for (const { props } of orm.getMetadata().getAll().values()) {
    for (const { customType } of props) if (customType instanceof DecimalType) makeExact(customType);
  }
}

type Compare = ReturnType<EntityComparator['getEntityComparator']>;

function compareNoNumbers(comparator: EntityComparator): void {
  const compareOf = comparator.getEntityComparator.bind(comparator);
  const exactly = new Map<Compare, Compare>();
  const exactOf = (entityName: EntityName<object>): Compare => {
    const compare = compareOf(entityName);
    const known = exactly.get(compare) ?? withoutSame(compare);
    if (!exactly.has(compare)) exactly.set(compare, known);
    return known;
  };
  Object.assign(comparator, { getEntityComparator: exactOf });
}

function withoutSame(compare: Compare): Compare {
  return (before, after, options) => {
    const changes = compare(before, after, options);
    for (const name in changes) {
      if (isSameNoNumber(Reflect.get(before, name), Reflect.get(after, name))) Reflect.deleteProperty(changes, name);
    }
    return changes;
  };
}

/** The entities of several services have the same types. */
const exact = new WeakSet<DecimalType>();

function makeExact(type: DecimalType): void {
  if (exact.has(type)) return;
  exact.add(type);
  const compare = type.compareValues.bind(type);
  const convert = type.convertToJSValue.bind(type);
  const isEqual: typeof compare = (one, other) => compare(one, other) && isSame(one, other);
  const converted: typeof convert = value => (value === null || value === undefined ? value : convert(value));
  Object.assign(type, { compareValues: isEqual, convertToJSValue: converted });
}

function isSame(one: unknown, other: unknown): boolean {
  // Numbers have no digit that a double has not.
  if (one === other || typeof one === 'number' || typeof other === 'number') return true;
  return normalized(String(one)) === normalized(String(other));
}

function isSameNoNumber(one: unknown, other: unknown): boolean {
  if (!(other instanceof Date)) return Object.is(one, other);
  const wasDate = one instanceof Date ? !Number.isNaN(one.getTime()) : typeof one !== 'string';
  return Number.isNaN(other.getTime()) && !wasDate;
}

/** The digits that count, and where they stand. What is no number is left as it is. */
function normalized(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^\s*([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?\s*$/i.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (whole + fraction === '') return text;
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const scale = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${sign === '-' ? '-' : ''}${significant}e${scale}`;
}
