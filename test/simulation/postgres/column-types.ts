import { SqlError } from './sql-error.ts';

/** The type of a column, as DDL names it. */
export interface ColumnType {
  readonly name: keyof typeof scalars;
  /** Of varchar. */
  readonly length?: number;
  /** Of numeric. */
  readonly precision?: number;
  readonly scale?: number;
  readonly isArray?: boolean;
}

interface Scalar {
  readonly number: number;
  readonly arrayNumber: number;
  /** As `format_type` writes it. */
  readonly title: string;
  /** The value as it is stored and given. */
  readonly read: (text: string, type: ColumnType) => string;
}

const scalars = {
  int4: { number: 23, arrayNumber: 1007, title: 'integer', read: integer(-(2n ** 31n), 2n ** 31n - 1n, 'integer') },
  int8: { number: 20, arrayNumber: 1016, title: 'bigint', read: integer(-(2n ** 63n), 2n ** 63n - 1n, 'bigint') },
  bool: { number: 16, arrayNumber: 1000, title: 'boolean', read: readBoolean },
  text: { number: 25, arrayNumber: 1009, title: 'text', read: (text: string) => text },
  varchar: { number: 1043, arrayNumber: 1015, title: 'character varying', read: readVarchar },
  numeric: { number: 1700, arrayNumber: 1231, title: 'numeric', read: readNumeric },
  jsonb: { number: 3802, arrayNumber: 3807, title: 'jsonb', read: readJson },
  bytea: { number: 17, arrayNumber: 1001, title: 'bytea', read: readBytes },
  timestamptz: { number: 1184, arrayNumber: 1185, title: 'timestamp with time zone', read: readMoment },
  date: { number: 1082, arrayNumber: 1182, title: 'date', read: readDay },
  uuid: { number: 2950, arrayNumber: 2951, title: 'uuid', read: readUuid },
} satisfies Readonly<Record<string, Scalar>>;

const otherNames: Readonly<Record<string, ColumnType['name']>> = {
  int: 'int4',
  integer: 'int4',
  bigint: 'int8',
  boolean: 'bool',
};

export function typeNamed(name: string): ColumnType['name'] | undefined {
  const found = otherNames[name] ?? name;
  return isTypeName(found) ? found : undefined;
}

function isTypeName(name: string): name is ColumnType['name'] {
  return Object.hasOwn(scalars, name);
}

export function typeNumber({ name, isArray }: ColumnType): number {
  return isArray === true ? scalars[name].arrayNumber : scalars[name].number;
}

function titleOf({ name, length, precision, scale, isArray }: ColumnType): string {
  const inBrackets = [length, precision, scale].filter(each => each !== undefined);
  const modifier = inBrackets.length > 0 ? `(${inBrackets.join(',')})` : '';
  return `${scalars[name].title}${modifier}${isArray === true ? '[]' : ''}`;
}

/** What the catalog says of the type of a column. */
export interface Facets {
  readonly udtName: string;
  /** As `format_type` writes it. */
  readonly title: string;
  /** Of a text, or the digits of a second. */
  readonly length: string | null;
  /** `atttypmod` */
  readonly modifier: string;
  readonly precision: string | null;
  readonly scale: string | null;
  readonly dataType: string;
}

export function facetsOf(type: ColumnType): Facets {
  const { name, isArray = false, length, precision, scale = 0 } = type;
  const modifier = length === undefined ? precision && (precision << 16) + scale + 4 : length + 4;
  const [digits, places] = isArray ? [] : (digitsOf[name] ?? [precision, precision === undefined ? undefined : scale]);
  return {
    udtName: isArray ? `_${name}` : name,
    title: titleOf(type),
    length: cell(isArray ? undefined : (secondsOf[name] ?? length)),
    modifier: String(modifier ?? -1),
    precision: cell(digits),
    scale: cell(places),
    dataType: isArray ? 'ARRAY' : scalars[name].title,
  };
}

/** Binary digits of a number, and those behind its point. */
const digitsOf: Readonly<Partial<Record<ColumnType['name'], readonly [digits: number, places: number]>>> = {
  int4: [32, 0],
  int8: [64, 0],
};
const secondsOf: Readonly<Partial<Record<ColumnType['name'], number>>> = { timestamptz: 6, date: 0 };

function cell(value: number | undefined): string | null {
  return value === undefined ? null : String(value);
}

/** @throws SqlError for a text that the type cannot hold. */
export function readAs(type: ColumnType, text: string): string {
  if (type.isArray !== true) return scalars[type.name].read(text, type);
  const read = (element: string) => scalars[type.name].read(element, type);
  return arrayText(elementsOf(text).map(element => (element === null ? null : read(element))));
}

/** Smaller than zero when `one` comes first. */
export function compared({ name }: ColumnType, one: string, other: string): number {
  if (name === 'int4' || name === 'int8' || name === 'numeric') return Number(one) - Number(other);
  return one < other ? -1 : one > other ? 1 : 0;
}

function invalid(type: string, text: string): SqlError {
  return new SqlError('22P02', `invalid input syntax for type ${type}: "${text}"`);
}

function integer(least: bigint, most: bigint, title: string) {
  return (text: string): string => {
    if (!/^\s*[-+]?\d+\s*$/.test(text)) throw invalid(title, text);
    const value = BigInt(text.trim().replace(/^\+/, ''));
    if (value < least || value > most) throw new SqlError('22003', `value "${text}" is out of range for type ${title}`);
    return String(value);
  };
}

function readBoolean(text: string): string {
  const word = text.trim().toLowerCase();
  if (/^(?:t|tr|tru|true|y|ye|yes|on|1)$/.test(word)) return 't';
  if (/^(?:f|fa|fal|fals|false|n|no|off|of|0)$/.test(word)) return 'f';
  throw invalid('boolean', text);
}

function readVarchar(text: string, { length }: ColumnType): string {
  const characters = [...text];
  if (length === undefined || characters.length <= length) return text;
  const rest = characters.slice(length).join('');
  if (/[^ ]/.test(rest)) throw new SqlError('22001', `value too long for type character varying(${length})`);
  return characters.slice(0, length).join('');
}

/** Plain decimal numbers; others, such as 1e3, are not needed yet. */
function readNumeric(text: string, { precision, scale = 0 }: ColumnType): string {
  const found = /^\s*([-+]?)(\d*)\.?(\d*)\s*$/.exec(text);
  const [, sign = '', whole = '', fraction = ''] = found ?? [];
  if (found === null || whole + fraction === '') throw invalid('numeric', text);
  const places = precision === undefined ? fraction.length : scale;
  const kept = BigInt(`${whole}${fraction.padEnd(places + 1, '0').slice(0, places)}`);
  const isRoundedUp = (fraction[places] ?? '0') >= '5';
  const digits = String(isRoundedUp ? kept + 1n : kept).padStart(places + 1, '0');
  if (
    precision !== undefined &&
    digits.length - places > precision - scale &&
    digits.replace(/^0+/, '').length > precision
  )
    throw new SqlError('22003', 'numeric field overflow');
  const value = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return sign === '-' && /[1-9]/.test(value) ? `-${value}` : value;
}

/** As jsonb writes it: shorter keys first, one space behind each colon and comma. */
function readJson(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SqlError('22P02', 'invalid input syntax for type json');
  }
  return jsonText(value);
}

function jsonText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonText).join(', ')}]`;
  if (typeof value === 'string') return quotedJson(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([one], [other]) => byLength(Buffer.from(one), Buffer.from(other)));
  return `{${entries.map(([key, each]) => `${quotedJson(key)}: ${jsonText(each)}`).join(', ')}}`;
}

/** @throws SqlError for what JSON may have, but a text of PostgreSQL may not */
function quotedJson(text: string): string {
  if (text.includes('\0')) throw new SqlError('22P05', 'unsupported Unicode escape sequence');
  if (/\p{Surrogate}/u.test(text)) throw new SqlError('22P02', 'invalid input syntax for type json');
  return JSON.stringify(text);
}

function byLength(one: Buffer, other: Buffer): number {
  return one.length - other.length || Buffer.compare(one, other);
}

function readBytes(text: string): string {
  const hex = /^\\x((?:[0-9a-fA-F]{2})*)$/.exec(text)?.[1];
  if (hex !== undefined) return `\\x${hex.toLowerCase()}`;
  if (text.startsWith('\\x')) throw new SqlError('22023', 'invalid hexadecimal data: odd number of digits');
  const bytes: number[] = [];
  const pieces = text.matchAll(/\\\\|\\([0-3][0-7]{2})|(\\)|[^\\]+/g);
  for (const [piece, octal, lone] of pieces) {
    if (lone !== undefined) throw new SqlError('22P02', 'invalid input syntax for type bytea');
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(...Buffer.from(piece === '\\\\' ? '\\' : piece));
  }
  return `\\x${Buffer.from(bytes).toString('hex')}`;
}

/** PostgreSQL holds no moment after the year 294276. */
const lastMs = Date.UTC(275_760, 8, 13);

function readMoment(text: string): string {
  const found =
    /^([-+]?\d{4,6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[-+]\d\d(?::?\d\d)?)?)?$/.exec(
      text,
    );
  if (found === null) throw new SqlError('22007', `invalid input syntax for type timestamp with time zone: "${text}"`);
  // PostgreSQL reads no sign before a year: it takes what is behind it for a zone, and what is left for no date.
  if (/^[-+]/.test(text)) throw new SqlError('22009', `time zone displacement out of range: "${text}"`);
  const ms = Date.parse(text.replace(' ', 'T').replace(/([-+]\d\d)$/, '$1:00'));
  if (Number.isNaN(ms) || ms > lastMs) throw new SqlError('22008', `date/time field value out of range: "${text}"`);
  return momentText(ms);
}

/** As PostgreSQL writes it in UTC. */
export function momentText(ms: number): string {
  const [day = '', time = ''] = new Date(ms).toISOString().replace('Z', '').split('T');
  return `${day} ${time.replace(/\.?0+$/, found => (found.startsWith('.') ? '' : found.replace(/0+$/, '')))}+00`;
}

function readDay(text: string): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) throw new SqlError('22007', `invalid input syntax for type date: "${text}"`);
  if (Number.isNaN(Date.parse(text))) throw new SqlError('22008', `date/time field value out of range: "${text}"`);
  return text;
}

function readUuid(text: string): string {
  if (!/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)) throw invalid('uuid', text);
  return text.toLowerCase();
}

/** The elements of an array of one dimension; null for NULL. */
export function elementsOf(text: string): readonly (string | null)[] {
  const malformed = new SqlError('22P02', `malformed array literal: "${text}"`);
  const inside = /^\s*\{([\s\S]*)\}\s*$/.exec(text)?.[1];
  if (inside === undefined) throw malformed;
  if (inside.trim() === '') return [];
  const elements: (string | null)[] = [];
  const element = /\s*(?:"((?:[^"\\]|\\[\s\S])*)"|((?:[^"\\{},]|\\[\s\S])+))\s*(,|$)/y;
  for (let goesOn = true; goesOn; ) {
    const [found, quoted, bare = '', end] = element.exec(inside) ?? [];
    if (found === undefined) throw malformed;
    if (quoted !== undefined) elements.push(unescaped(quoted));
    else elements.push(bare.trim().toLowerCase() === 'null' ? null : unescaped(bare.trim()));
    goesOn = end === ',';
  }
  if (element.lastIndex !== inside.length) throw malformed;
  return elements;
}

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, '$1');
}

export function arrayText(elements: readonly (string | null)[]): string {
  return `{${elements.map(elementText).join(',')}}`;
}

function elementText(element: string | null): string {
  if (element === null) return 'NULL';
  const isBare = element !== '' && !/[\s"\\{},]/.test(element) && element.toLowerCase() !== 'null';
  return isBare ? element : `"${element.replace(/["\\]/g, '\\$&')}"`;
}
