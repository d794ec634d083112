import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parameterText } from './parameter-text.js';

/** How pg writes a value: what this file must agree with. */
const { utils }: { utils: { prepareValue(value: unknown): unknown } } = createRequire(import.meta.url)('pg');

const values = {
  null: null,
  undefined,
  text: 'it\'s \\ "quoted"',
  empty: '',
  number: 1.5,
  notANumber: Number.NaN,
  bigint: 2n ** 70n,
  boolean: false,
  date: new Date('2026-01-31T10:20:30.456Z'),
  'date of the year 9': new Date(-61_850_000_000_000),
  'date before Christ': new Date(-63_000_000_000_000),
  bytes: Buffer.from([0, 1, 255]),
  object: { a: [1, null, 'x'], b: { c: true } },
  list: [1, 'a,b', null, '"q"', '\\'],
  'list of lists': [
    [1, 2],
    [3, 4],
  ],
  'list of bytes': [Buffer.from([0, 255])],
  'list of objects': [{ a: 1 }],
  'list of dates': [new Date('2026-07-01T00:00:00Z')],
  'an object with a text of its own': { toPostgres: () => '(1,2)' },
  'an object that gives a list': { toPostgres: (prepare: (value: unknown) => unknown) => prepare([1, 2]) },
};

describe('a parameter is written as pg writes it', () => {
  for (const [name, value] of Object.entries(values)) {
    test(name, () => expect(parameterText(value)).toEqual(utils.prepareValue(value)));
  }

  test('whatever texts, numbers and lists of them it is', () => {
    const scalar = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null));
    fc.assert(
      fc.property(fc.oneof(scalar, fc.array(fc.oneof(scalar, fc.array(scalar, { minLength: 1 })))), value => {
        expect(parameterText(value)).toEqual(utils.prepareValue(value));
      }),
    );
  });

  test('bytes that are a view keep to their part', () => {
    const view = new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2);
    expect(parameterText(view)).toEqual(new Uint8Array([2, 3]));
  });
});
