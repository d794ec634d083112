import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader } from './frame-reader.js';

describe('FrameReader', () => {
  test('finds the same messages however the bytes are cut', () => {
    const message = fc.record({ type: fc.constantFrom('Q', 'P', 'S', 'd'), body: fc.uint8Array({ maxLength: 40 }) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(300), { maxLength: 12 }), (messages, cuts) => {
        const reader = new FrameReader('frontend', 'QPBE');
        const bytes = Buffer.concat([startup(), ...messages.map(({ type, body }) => typed(type, Buffer.from(body)))]);
        const found = chunksOf(bytes, cuts).flatMap(chunk => reader.push(chunk));
        expect(found.map(frame => frame.type)).toEqual(['startup', ...messages.map(({ type }) => type)]);
        expect(found.slice(1).map(frame => [...frame.body])).toEqual(
          messages.map(({ type, body }) => ('QPBE'.includes(type) ? [...body] : [])),
        );
      }),
    );
  });

  test('says where each message starts and ends in its chunk', () => {
    const bytes = Buffer.concat([startup(), typed('S'), typed('Q', Buffer.from('select 1\0'))]);
    const found = new FrameReader('frontend', 'Q').push(bytes).map(({ type, start, end }) => ({ type, start, end }));
    expect(found).toEqual([
      { type: 'startup', start: 0, end: 8 },
      { type: 'S', start: 8, end: 13 },
      { type: 'Q', start: 13, end: 27 },
    ]);
  });

  test('a message that began in an earlier chunk starts at 0', () => {
    const reader = new FrameReader('frontend', 'Q');
    const bytes = Buffer.concat([startup(), typed('Q', Buffer.from('commit\0'))]);
    expect(reader.push(bytes.subarray(0, 15)).map(frame => frame.type)).toEqual(['startup']);
    expect(reader.push(bytes.subarray(15))).toMatchObject([{ type: 'Q', start: 0, end: 5 }]);
  });

  test('takes the bare byte that answers an SSLRequest', () => {
    const reader = new FrameReader('backend', '');
    reader.expectByte();
    const found = reader.push(Buffer.concat([Buffer.from('N'), typed('Z', Buffer.from('I'))]));
    expect(found.map(frame => frame.type)).toEqual(['tls?', 'Z']);
  });

  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['TLS', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])],
  ])('does not mistake %s for PostgreSQL', (_name, bytes) => {
    const reader = new FrameReader('frontend', 'Q');
    expect(reader.push(bytes)).toEqual([]);
    expect(reader.isOpaque).toBe(true);
  });
});

function startup(): Buffer {
  return Buffer.from([0, 0, 0, 8, 0, 3, 0, 0]);
}

function typed(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function chunksOf(bytes: Buffer, cuts: number[]): Buffer[] {
  const at = [0, ...cuts.map(cut => cut % bytes.length).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}
