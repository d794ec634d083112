import { createPostgreSqlTypeParsers } from '@mikro-orm/sql';
import array from 'postgres-array';

type Parser = (text: string) => unknown;

/** The bytes of a bytea in its text format, `\x` and hexadecimal digits. */
const bytes: Parser = text => Buffer.from(text.slice(2), 'hex');
const json: Parser = text => JSON.parse(text);
const bool: Parser = text => text === 't';
const listOf =
  (parser: Parser): Parser =>
  text =>
    array.parse(text, parser);
const texts = (text: string) => array.parse(text);

function point(text: string): { x: number; y: number } {
  const [x = '', y = ''] = text.slice(1, -1).split(',');
  return { x: Number(x), y: Number(y) };
}

function circle(text: string): { x: number; y: number; radius: number } {
  const [x, y, radius] = text
    .replace(/[<>()]/g, '')
    .split(',')
    .map(Number);
  return { x: x ?? 0, y: y ?? 0, radius: radius ?? 0 };
}

/**
 * Type oid -> parser, as the driver for PostgreSQL has them: integers of 8 bytes and numerics stay text, so that no digit is
 * lost.
 * Source of the oids: pg_type.dat of PostgreSQL 18.
 */
const likePg: Readonly<Record<number, Parser>> = {
  16: bool,
  17: bytes,
  21: Number,
  23: Number,
  26: Number,
  114: json,
  199: listOf(json),
  600: point,
  651: texts,
  718: circle,
  700: Number,
  701: Number,
  791: texts,
  1000: listOf(bool),
  1001: listOf(bytes),
  1005: listOf(Number),
  1007: listOf(Number),
  1008: texts,
  1009: texts,
  1014: texts,
  1015: texts,
  1016: texts,
  1017: listOf(point),
  1021: listOf(Number),
  1022: listOf(Number),
  1028: listOf(Number),
  1040: texts,
  1041: texts,
  1183: texts,
  1231: texts,
  1270: texts,
  2951: texts,
  3802: json,
  3807: listOf(json),
  3907: texts,
};

const parsers = new Map<number, Parser>(
  Object.entries({ ...likePg, ...createPostgreSqlTypeParsers(texts) }).map(([oid, parser]) => [Number(oid), parser]),
);

/** Returns a value of the wire in the JavaScript type of the PostgreSQL driver. */
export function parseValue(oid: number, text: string | null): unknown {
  if (text === null) return null;
  const parser = parsers.get(oid);
  return parser === undefined ? text : parser(text);
}
