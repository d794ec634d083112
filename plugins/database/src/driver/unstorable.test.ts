import { expect, test } from 'vitest';
import { unstorable } from './unstorable.js';

const long = Buffer.alloc(2 ** 30);

test.each([
  ['a NUL in the text of a statement', { sql: "select 'a\0b'" }, '22021'],
  ['a NUL in a parameter', { sql: 'select $1', parameters: ['a\0b'] }, '22021'],
  ['a NUL deep in an array', { sql: 'select $1', parameters: [[['fine'], ['a\0b']]] }, '22021'],
  ['the first half of a surrogate pair', { sql: "select 'a\ud800b'" }, '22021'],
  ['the second half of a surrogate pair', { sql: 'select $1', parameters: ['\udc00'] }, '22021'],
  ['an invalid date', { sql: 'select $1', parameters: [new Date('no date')] }, '22007'],
  ['bytes longer than any value may be', { sql: 'select $1', parameters: [long] }, '54000'],
])('%s is refused with the SQLSTATE of a server, and without the value', (_name, statement, code) => {
  const error = unstorable([{ sql: 'select 1' }, statement]);
  expect(error).toMatchObject({ code, severity: 'ERROR' });
  expect(error?.message).not.toMatch(/a.b/);
});

test('everything else is sent as it is', () => {
  const parameters = [
    '',
    'whole \u{1f600} pairs',
    null,
    1,
    2n,
    true,
    new Date(),
    Buffer.from([0]),
    [[null]],
    { a: '\0' },
  ];
  expect(unstorable([{ sql: "select '\u{1f600}'" }, { sql: 'select $1', parameters }])).toBeUndefined();
});
