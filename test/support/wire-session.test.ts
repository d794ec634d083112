import { describe, expect, test } from 'vitest';
import { WireSession } from './wire-session.js';

describe('WireSession', () => {
  test('goes on in plain text when the server refuses TLS', () => {
    const session = new WireSession();
    session.sent(untyped(sslRequest));
    session.received(Buffer.from('N'));
    session.sent(untyped(startup));
    session.received(typed('Z', 'I'));
    expect(session.sent(typed('Q', 'select 1\0'))).toMatchObject([{ statement: 'select 1', group: 0 }]);
    expect(session.received(typed('Z', 'I'))).toMatchObject([{ group: 0 }]);
  });

  test('does not mistake TLS for messages', () => {
    const session = new WireSession();
    session.sent(untyped(sslRequest));
    session.received(Buffer.from('S'));
    expect(session.sent(typed('Q', 'select 1\0'))).toEqual([]);
    expect(session.received(typed('Z', 'I'))).toEqual([]);
  });

  test('knows a cancel request', () => {
    const session = new WireSession();
    session.sent(untyped(cancelRequest));
    expect(session.isCancelRequest).toBe(true);
  });

  test('the end of starting up answers no message', () => {
    const session = new WireSession();
    session.sent(untyped(startup));
    expect(session.received(Buffer.concat([typed('R', '\0\0\0\0'), typed('Z', 'I')]))).toEqual([]);
    expect(session.answeredGroups).toBe(0);
  });

  test('all messages up to a Sync are one group', () => {
    const session = new WireSession();
    session.sent(untyped(startup));
    session.received(typed('Z', 'I'));
    const insert = [typed('P', '\0insert\0\0\0'), typed('B', '\0\0\0\0\0\0\0\0'), typed('E', '\0\0\0\0\0')];
    const commit = [typed('P', 'c\0commit\0\0\0'), typed('B', 'p\0c\0\0\0\0\0\0\0'), typed('E', 'p\0\0\0\0\0')];
    const sent = session.sent(Buffer.concat([...insert, ...commit, typed('S', ''), typed('Q', 'select 1\0')]));
    expect(sent.map(({ statement, group }) => [statement, group])).toEqual([
      ['insert', 0],
      ['commit', 0],
      [undefined, 0],
      ['select 1', 1],
    ]);
    expect(session.received(Buffer.concat([typed('Z', 'I'), typed('Z', 'I')]))).toMatchObject([
      { group: 0, end: 6 },
      { group: 1, end: 12 },
    ]);
  });
});

const startup = [0, 3, 0, 0];
const sslRequest = [0x04, 0xd2, 0x16, 0x2f];
const cancelRequest = [0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 2];

function untyped(body: number[]): Buffer {
  return Buffer.from([0, 0, 0, body.length + 4, ...body]);
}

function typed(type: string, body: string): Buffer {
  return Buffer.concat([Buffer.from(type), Buffer.from([0, 0, 0, body.length + 4]), Buffer.from(body, 'latin1')]);
}
