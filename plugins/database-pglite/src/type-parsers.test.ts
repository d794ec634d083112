import { createPostgreSqlTypeParsers } from '@mikro-orm/sql';
import pg from 'pg';
import array from 'postgres-array';
import { describe, expect, test } from 'vitest';
import { parseValue } from './type-parsers.js';

/** Type, oid, and values as PostgreSQL writes them. */
const samples: readonly (readonly [type: string, oid: number, ...texts: string[]])[] = [
  ['boolean', 16, 't', 'f'],
  ['bytea', 17, '\\x00ff', '\\x'],
  ['bigint', 20, '9007199254740993'],
  ['smallint', 21, '-7'],
  ['integer', 23, '42'],
  ['text', 25, 'text', ''],
  ['oid', 26, '4294967295'],
  ['json', 114, '{"a":[1,"two",null]}'],
  ['real', 700, '1.5', 'NaN', 'Infinity'],
  ['double precision', 701, '-1e-300'],
  ['point', 600, '(1.5,-2)'],
  ['circle', 718, '<(1.5,-2),3>'],
  ['date', 1082, '2026-01-31', 'infinity'],
  ['timestamp', 1114, '2026-01-31 10:20:30.4'],
  ['timestamptz', 1184, '2026-01-31 10:20:30.4+00'],
  ['interval', 1186, '1 day 02:00:00'],
  ['numeric', 1700, '1.10'],
  ['uuid', 2950, '7f1bd1d0-5d0c-4f1d-8f53-0a6b7f1f3b1a'],
  ['jsonb', 3802, '[1]'],
  ['json[]', 199, '{"{\\"a\\":1}"}'],
  ['boolean[]', 1000, '{t,f,NULL}'],
  ['bytea[]', 1001, '{"\\\\x00ff"}'],
  ['smallint[]', 1005, '{1,2}'],
  ['integer[]', 1007, '{{1,2},{3,NULL}}'],
  ['text[]', 1009, '{"a,b","\\"q\\"",NULL,""}'],
  ['varchar[]', 1015, '{a}'],
  ['bigint[]', 1016, '{9007199254740993}'],
  ['point[]', 1017, '{"(1,2)"}'],
  ['real[]', 1021, '{1.5}'],
  ['double precision[]', 1022, '{1.5,NULL}'],
  ['timestamp[]', 1115, '{"2026-01-31 10:20:30"}'],
  ['date[]', 1182, '{2026-01-31}'],
  ['timestamptz[]', 1185, '{"2026-01-31 10:20:30+00"}'],
  ['numeric[]', 1231, '{1.10,12345678901234567890.12}'],
  ['uuid[]', 2951, '{7f1bd1d0-5d0c-4f1d-8f53-0a6b7f1f3b1a}'],
  ['jsonb[]', 3807, '{"[1]"}'],
  ['a type of the user', 99_999, '{as,it,is}'],
];

/** The parsers of the PostgreSQL driver. */
const types = new pg.TypeOverrides();
for (const [oid, parser] of Object.entries(createPostgreSqlTypeParsers(text => array.parse(text)))) {
  types.setTypeParser(Number(oid), parser);
}
types.setTypeParser(1231, text => array.parse(text));

describe('a value is read as the PostgreSQL driver reads it', () => {
  for (const [type, oid, ...texts] of samples) {
    test(type, () => {
      const parse = (text: string): unknown => Reflect.apply(types.getTypeParser(oid), undefined, [text]);
      for (const text of texts) expect(parseValue(oid, text)).toEqual(parse(text));
    });
  }

  test('null of any type', () => {
    for (const [, oid] of samples) expect(parseValue(oid, null)).toBeNull();
  });
});
