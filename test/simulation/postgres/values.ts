import { canonicalJson } from './canonical-json.ts';
import { SqlError } from './sql-error.ts';
import { typeNumbers } from './wire.ts';

type Single =
  | 'bool'
  | 'int4'
  | 'int8'
  | 'numeric'
  | 'float8'
  | 'text'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'interval'
  | 'jsonb'
  | 'bytea';

/** The type of a value; a list has `[]` behind the type of its items. */
export type TypeName = Single | `${Single}[]`;

/** The types by the names that a cast gives them. */
const byName: Readonly<Record<string, Single>> = {
  bool: 'bool',
  boolean: 'bool',
  int: 'int4',
  int4: 'int4',
  integer: 'int4',
  int8: 'int8',
  bigint: 'int8',
  numeric: 'numeric',
  float8: 'float8',
  text: 'text',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  interval: 'interval',
  jsonb: 'jsonb',
  bytea: 'bytea',
};

const longNames: Readonly<Partial<Record<TypeName, string>>> = {
  bool: 'boolean',
  int4: 'integer',
  int8: 'bigint',
  float8: 'double precision',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
};

const numbersOfLists: Readonly<Partial<Record<TypeName, number>>> = { 'bool[]': 1000, 'int4[]': 1007, 'text[]': 1009 };

export function typeNamed(name: string): Single | undefined {
  return byName[name];
}

/** As an error message names it. */
export function longName(type: TypeName): string {
  return longNames[type] ?? type;
}

export function numberOfType(type: TypeName): number {
  const number = isSingle(type) ? typeNumbers[type] : numbersOfLists[type];
  if (number === undefined) throw new Error(`the simulation has no number for the type ${type}`);
  return number;
}

function isSingle(type: TypeName): type is Single {
  return !type.endsWith('[]');
}

export function listOf(type: TypeName): TypeName {
  // A list of lists has the type of a list.
  return isSingle(type) ? `${type}[]` : type;
}

const numeric = new Set<TypeName>(['int4', 'int8', 'numeric', 'float8']);

export function isNumeric(type: TypeName): boolean {
  return numeric.has(type);
}

const moments = new Set<TypeName>(['date', 'timestamp', 'timestamptz']);

/** A day or a time; the server compares those of different types, too. */
export function isMoment(type: TypeName): boolean {
  return moments.has(type);
}

/** Values of it are compared as `compareValues` does. */
export function isOrdered(type: TypeName): boolean {
  return isNumeric(type) || isMoment(type) || type === 'text' || type === 'bool';
}

/** Returns the text of a value as the server prints it. @throws SqlError for a text that the type does not accept. */
export function typedValue(type: TypeName, text: string): string {
  switch (type) {
    case 'int4':
      return integer(type, text, 2n ** 31n);
    case 'int8':
      return integer(type, text, 2n ** 63n);
    case 'numeric':
      if (!/^\s*[+-]?\d+(\.\d+)?\s*$/.test(text)) throw invalid(type, text);
      return text.trim();
    case 'float8':
      if (text.trim() === '' || Number.isNaN(Number(text))) throw invalid(type, text);
      return String(Number(text));
    case 'bool':
      return boolean(text);
    case 'jsonb':
      return canonicalJson(text);
    case 'bytea':
      return bytes(text);
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return moment(type, text);
    case 'interval':
      return interval(text);
    default:
      return text;
  }
}

/** A value of one type as one of another. */
export function converted(from: TypeName, to: TypeName, value: string): string {
  const text = from === 'bool' ? (value === 't' ? 'true' : 'false') : value;
  if ((to !== 'int4' && to !== 'int8') || !isNumeric(from)) return typedValue(to, text);
  // Half away from zero.
  const whole = text.includes('.') ? String(Math.sign(Number(text)) * Math.round(Math.abs(Number(text)))) : text;
  return typedValue(to, whole);
}

function invalid(type: TypeName, text: string): SqlError {
  return new SqlError('22P02', `invalid input syntax for type ${longName(type)}: "${text}"`);
}

function integer(type: TypeName, text: string, limit: bigint): string {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw invalid(type, text);
  const value = BigInt(text.trim().replace(/^\+/, ''));
  if (value < -limit || value >= limit)
    throw new SqlError('22003', `value "${text}" is out of range for type ${longName(type)}`);
  return String(value);
}

/** In hexadecimal digits. */
function bytes(text: string): string {
  if (!text.startsWith('\\')) return `\\x${Buffer.from(text).toString('hex')}`;
  const odd = /^\\x[\da-f]*([^\da-f])/i.exec(text)?.[1];
  if (odd !== undefined) throw new SqlError('22023', `invalid hexadecimal digit: "${odd}"`);
  if (text.length % 2 === 1) throw new SqlError('22023', 'invalid hexadecimal data: odd number of digits');
  return text.toLowerCase();
}

function boolean(text: string): string {
  const word = text.trim().toLowerCase();
  if (word !== '' && (['true', 'yes', 'on', '1'].includes(word) || ['t', 'tr', 'tru', 'y', 'ye'].includes(word)))
    return 't';
  if (['false', 'no', 'off', '0', 'f', 'fa', 'fal', 'fals', 'n', 'of'].includes(word)) return 'f';
  throw invalid('bool', text);
}

const isoMoment = /^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?))?\s*(Z|[+-]\d\d(?::?\d\d)?)?\s*$/i;

/** Only what ISO 8601 allows; the time zone of a session is UTC. */
function moment(type: 'date' | 'timestamp' | 'timestamptz', text: string): string {
  const [, day = '', time = '00:00', zone = 'Z'] = isoMoment.exec(text) ?? [];
  // What stands behind a sign is taken for a time zone.
  if (/^[-+]\d/.test(text)) throw new SqlError('22009', `time zone displacement out of range: "${text}"`);
  if (day === '') throw new SqlError('22007', `invalid input syntax for type ${longName(type)}: "${text}"`);
  const [, month = 0, date = 0] = day.split('-').map(Number);
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  const isReal = new Date(`${day}T00:00Z`).getUTCDate() === date && month > 0;
  if (!isReal || hours > 23 || minutes > 59 || seconds >= 60)
    throw new SqlError('22008', `date/time field value out of range: "${text}"`);
  if (type === 'date') return day;
  const [toSeconds = '', part = ''] = (time.length === 5 ? `${time}:00` : time).split('.');
  const fraction = part.replace(/0+$/, '');
  const behind = fraction === '' ? '' : `.${fraction}`;
  if (type === 'timestamp') return `${day} ${toSeconds}${behind}`;
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone;
  const inUtc = new Date(`${day}T${toSeconds}${offset.toUpperCase()}`).toISOString();
  return `${inUtc.slice(0, 10)} ${inUtc.slice(11, 19)}${behind}+00`;
}

const secondsOf: Readonly<Record<string, number>> = { hour: 3600, minute: 60, second: 1 };

/** Days, hours, minutes and seconds. */
function interval(text: string): string {
  let [days, seconds] = [0, 0];
  const parts = [...text.matchAll(/(-?\d+)\s*(day|hour|minute|second)s?\s*/g)];
  if (text === '' || parts.map(([part]) => part).join('') !== text.trimStart())
    throw new SqlError('22007', `invalid input syntax for type interval: "${text}"`);
  for (const [, count, unit = ''] of parts)
    if (unit === 'day') days += Number(count);
    else seconds += Number(count) * (secondsOf[unit] ?? 0);
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, '0');
  const time = `${seconds < 0 ? '-' : ''}${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  const inDays = days === 0 ? [] : [`${days} day${days === 1 ? '' : 's'}`];
  return [...inDays, ...(seconds !== 0 || days === 0 ? [time] : [])].join(' ');
}

/** Less than 0 when `one` comes first. Of texts, the order is that of their characters. */
export function compareValues(type: TypeName, one: string, other: string): number {
  if (type === 'int4' || type === 'int8') return Number(BigInt(one) - BigInt(other));
  if (isNumeric(type)) return Number(one) - Number(other);
  return one < other ? -1 : one > other ? 1 : 0;
}

/** As `array[...]` gives it. */
export function listValue(items: readonly (string | null)[], areLists: boolean): string {
  const texts = items.map(item => {
    if (item === null) return 'NULL';
    if (areLists || !(item === '' || /[{}",\\\s]/.test(item) || /^null$/i.test(item))) return item;
    return `"${item.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${texts.join(',')}}`;
}
