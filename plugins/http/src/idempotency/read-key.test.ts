import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { readKey } from './read-key.js';

const requestWith = (...keys: string[]) =>
  ({ headersDistinct: { 'idempotency-key': keys } }) as unknown as IncomingMessage;

describe('the header Idempotency-Key', () => {
  test.each([
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    [' "a,b" ', 'a,b'],
    ['x'.repeat(255), 'x'.repeat(255)],
  ])('%j is the key %j', (header, key) => {
    expect(readKey(requestWith(header), false)).toBe(key);
  });

  test.each(['', '  ', '"', '""', '"a', 'a b', 'one,two', 'a"b', '"a\\b"', 'ä', '\u0000', 'x'.repeat(256)])(
    '%j is none',
    header => {
      expect(() => readKey(requestWith(header), false)).toThrow(
        expect.objectContaining({
          code: 'HTTP_IDEMPOTENCY_KEY_INVALID',
          http: expect.objectContaining({ status: 400 }),
        }),
      );
    },
  );

  test('twice in one request is none', () => {
    expect(() => readKey(requestWith('a', 'b'), false)).toThrow(
      expect.objectContaining({ code: 'HTTP_IDEMPOTENCY_KEY_INVALID' }),
    );
  });
});
