import { expect, test } from 'vitest';
import { formatError } from '../secrets/format-error.js';
import { parseCredential } from './parse-credential.js';

test.each([
  ['hunter2\n', { password: 'hunter2' }],
  [' with spaces \r\n', { password: ' with spaces ' }],
  ['{"password":"hunter2"}', { password: 'hunter2' }],
  [
    '\n{"user":"app","password":"hunter2","expiresAt":"2030-01-31T12:00:00Z"}\n',
    { user: 'app', password: 'hunter2', expiresAt: new Date('2030-01-31T12:00:00Z') },
  ],
  ['{"username":"app","password":"hunter2","engine":"postgres"}', { user: 'app', password: 'hunter2' }],
])('%j is a credential', (text, credential) => {
  expect(parseCredential(text)).toEqual(credential);
});

test.each([
  ['', 'it is empty'],
  [' \n', 'it is empty'],
  ['hunter2\nhunter3', 'it has several lines and is not JSON'],
  ['{"password":"hunter2"', 'it begins with { and is not JSON'],
  ['{"user":"hunter2"}', 'its JSON has no password'],
  ['{"password":7}', 'its password is empty or not a text'],
  ['{"user":"","password":"hunter2"}', 'its user is empty or not a text'],
  ['{"password":"hunter2","expiresAt":1893456000}', 'its expiresAt is empty or not a text'],
  ['{"password":"hunter2","expiresAt":"2030-01-31"}', 'its expiresAt is not an instant like 2030-01-31T12:00:00Z'],
])('%j is none, and the error shows nothing of it', (text, why) => {
  const parse = () => parseCredential(text);
  expect(parse).toThrow(
    expect.objectContaining({ code: 'CREDENTIALS_INVALID', message: expect.stringContaining(why) }),
  );
  try {
    parse();
  } catch (error) {
    expect(formatError(error)).not.toContain('hunter');
  }
});
