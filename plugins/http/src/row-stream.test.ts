import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RowOptions, rowHeaders, rowTexts } from './index.js';

async function textOf(rows: Iterable<unknown>, options: RowOptions): Promise<string> {
  let text = '';
  for await (const piece of rowTexts(rows, options)) text += piece;
  return text;
}

const columns = ['a', 'b', 'c'];

test('NDJSON is one JSON value in each line, whatever it holds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ a: fc.string({ unit: 'binary' }), b: fc.jsonValue() })), async rows => {
      const lines = (await textOf(rows, { format: 'ndjson' })).split('\n');
      expect(lines.pop()).toBe('');
      expect(lines.map(line => JSON.parse(line))).toEqual(JSON.parse(JSON.stringify(rows)));
    }),
    { numRuns: 40 },
  );
});

test('another reader of RFC 4180 reads each text of CSV as it was', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', ' ', '\t', ';', 'ä', '=') }),
  );
  const row = fc.record({ a: text, b: text, c: text });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1 }), async rows => {
      const written = await textOf(rows, { format: 'csv' });
      expect(parse(written, { columns: true, record_delimiter: '\r\n' })).toEqual(rows);
    }),
  );
});

test('a value of CSV that is no text is written as JSON has it, and null is not an empty text', async () => {
  const row = {
    a: null,
    b: '',
    c: 1.5,
    d: true,
    e: new Date(0),
    f: 12n,
    g: [1, 'x'],
    h: { x: 1 },
    i: Buffer.from('ab'),
  };
  expect(await textOf([row], { format: 'csv' })).toBe(
    'a,b,c,d,e,f,g,h,i\r\n,"",1.5,true,1970-01-01T00:00:00.000Z,12,"[1,""x""]","{""x"":1}",YWI=\r\n',
  );
});

test('CSV has the given columns in their order, also without a row, and those of an entity', async () => {
  expect(await textOf([], { format: 'csv', columns })).toBe('a,b,c\r\n');
  expect(await textOf([], { format: 'csv' })).toBe('');
  expect(await textOf([{ c: 3, x: 0, a: 1 }], { format: 'csv', columns })).toBe('a,b,c\r\n1,,3\r\n');
  const entity = { hidden: 1, toJSON: () => ({ shown: 2 }) };
  expect(await textOf([entity], { format: 'csv' })).toBe('shown\r\n2\r\n');
});

test('what is no row is an error', async () => {
  await expect(textOf([() => {}], { format: 'ndjson' })).rejects.toThrow(TypeError);
  await expect(textOf(['text'], { format: 'csv' })).rejects.toThrow(TypeError);
});

test('a row is checked as JSON has it, before it is sent', async () => {
  const seen: unknown[] = [];
  for await (const _text of rowTexts([{ at: new Date(0) }], { format: 'csv' }, row => void seen.push(row)));
  expect(seen).toEqual([{ at: '1970-01-01T00:00:00.000Z' }]);
});

test.each([
  ['orders.csv', 'attachment; filename="orders.csv"'],
  ['a"b\r\n.csv', 'attachment; filename="a_b__.csv"; filename*=UTF-8\'\'a%22b%0D%0A.csv'],
  ["größe's.csv", 'attachment; filename="gr__e_s.csv"; filename*=UTF-8\'\'gr%C3%B6%C3%9Fe%27s.csv'],
])('the file name %j cannot end its header', (fileName, header) => {
  expect(rowHeaders({ format: 'csv', fileName })['Content-Disposition']).toBe(header);
});
