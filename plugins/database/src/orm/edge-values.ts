import type { AbstractSqlPlatform } from '@mikro-orm/sql';

/**
 * MikroORM would write some values so that PostgreSQL refuses them: a number that is none, as the name of a column; a date
 * before the year 1 or after 9999, as ISO 8601 has it. And it cannot read a `timestamp` before the year 1.
 */
export function keepEdgeValues(platform: AbstractSqlPlatform): void {
  const literal = platform.escape.bind(platform);
  const parseDate = platform.parseDate.bind(platform);
  Object.assign(platform, {
    parseDate: (value: string | number): Date =>
      // MikroORM appends the zone of a text that has none.
      parseDate(typeof value === 'string' && value.endsWith(' BCZ') ? `${value.slice(0, -4)}Z BC` : value),
    escape: (value: unknown): string => {
      if (value instanceof Date && Number.isNaN(value.getTime())) return unstorable;
      const exact = typeof value === 'number' && !Number.isFinite(value) ? String(value) : farDate(value);
      return exact === undefined ? literal(value) : `'${exact}'`;
    },
  });
}

/** No date is written so, and it is refused before it is sent (`unstorable`). MikroORM would throw an error of JavaScript. */
const unstorable = "'\0'";

/** Undefined for all but a date that ISO 8601 does not write with four digits. */
function farDate(value: unknown): string | undefined {
  if (!(value instanceof Date)) return undefined;
  const year = value.getUTCFullYear();
  if (!(year < 1 || year > 9_999)) return undefined;
  const [, rest = ''] = /-(\d\d-\d\dT.*)Z$/.exec(value.toISOString()) ?? [];
  const digits = String(year < 1 ? 1 - year : year).padStart(4, '0');
  return `${digits}-${rest.replace('T', ' ')}+00${year < 1 ? ' BC' : ''}`;
}
