import { createWriteStream } from 'node:fs';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import express from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gate, Harness, problemFrom } from './harness.fixture.js';
import { currentSession } from './request-sessions.js';
import { Router } from './server-under-test.fixture.js';
import { RecordedSessions } from './sessions.fixture.js';

let harness: Harness;
let sessions: RecordedSessions;
let handled: number;

beforeEach(async () => {
  harness = await new Harness({ bodyLimitBytes: 1_000_000 }).ready();
  sessions = new RecordedSessions();
  harness.server.letIn(sessions);
  handled = 0;
  harness.http.router(
    '/echo',
    Router().all('/', (request, response) => {
      handled += 1;
      response.json(request.body ?? null);
    }),
  );
});

afterEach(async () => {
  await harness.stop();
  expect(harness.logger.lines('error')).toEqual([]);
  expect(harness.telemetry.errors()).toEqual([]);
});

const documentIn = (received: string) => JSON.parse(received.slice(received.indexOf('\r\n\r\n')));

/** What the server answers to `bytes`, up to the end of the first document. */
async function answerTo(bytes: string) {
  const connection = await harness.connect();
  connection.send(bytes);
  const received = await connection.until(({ closed, received }) => closed || /\}\s*$/.test(received));
  connection.socket.destroy();
  const { type, detail } = documentIn(received);
  return { status: Number(/^HTTP\/1.1 (\d+)/.exec(received)?.[1]), code: String(type).replace(/.*:/, ''), detail };
}

const malformed = { status: 400, code: 'HTTP_REQUEST_MALFORMED' };
const upgrade = { status: 400, code: 'HTTP_UPGRADE_REFUSED' };
const post = (headers: string, body: string) => `POST /echo HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;
const json = 'Content-Type: application/json\r\n';
const chunked = `${json}Transfer-Encoding: chunked`;

describe('a request is refused, and its handler not called', () => {
  afterEach(() => {
    expect(handled).toBe(0);
    expect(sessions.events).toEqual([]);
  });

  test.each([
    ['two Host headers', 'GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', malformed],
    ['two Host headers that are the same', 'GET /echo HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', malformed],
    ['no Host', 'GET /echo HTTP/1.1\r\n\r\n', malformed],
    ['an invalid Host', 'GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n', malformed],
    ['a Host with a user in front', 'GET /echo HTTP/1.1\r\nHost: user@a\r\n\r\n', malformed],
    ['HTTP/0.9', 'GET /echo\r\n\r\n', malformed],
    ['HTTP/1.7', 'GET /echo HTTP/1.7\r\nHost: a\r\n\r\n', malformed],
    ['HTTP/2.0', 'GET /echo HTTP/2.0\r\nHost: a\r\n\r\n', malformed],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', malformed],
    [
      'an Upgrade to a websocket',
      'GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      upgrade,
    ],
    ['CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n', upgrade],
    [
      'an unknown expectation',
      post('Expect: magic\r\nContent-Length: 2', '{}'),
      { status: 417, code: 'HTTP_EXPECTATION_FAILED' },
    ],
    ['two lengths', post('Content-Length: 2\r\nContent-Length: 3', '{}'), malformed],
    ['the same length twice', post('Content-Length: 2\r\nContent-Length: 2', '{}'), malformed],
    ['a length that is not a number', post('Content-Length: two', '{}'), malformed],
    ['a negative length', post('Content-Length: -2', '{}'), malformed],
    [
      'a length, and chunks',
      post('Content-Length: 2\r\nTransfer-Encoding: chunked', '2\r\n{}\r\n0\r\n\r\n'),
      malformed,
    ],
    ['a transfer encoding of no end', post('Transfer-Encoding: gzip', '{}'), malformed],
    [
      'a transfer encoding that is not read',
      post('Transfer-Encoding: gzip, chunked', '2\r\n{}\r\n0\r\n\r\n'),
      malformed,
    ],
    ['a chunk of no length', post(chunked, 'ZZ\r\n{}\r\n'), malformed],
    ['a chunk that is longer than it says', post(chunked, '2\r\n{}XX\r\n'), malformed],
    ['two content types', post(`${json}Content-Type: text/plain\r\nContent-Length: 2`, '{}'), malformed],
    ['NUL in the path', 'GET /ec\0ho HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
    ['NUL in a header', 'GET /echo HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', malformed],
    ['bytes beyond ASCII in the path', 'GET /ech\u00f6 HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
    ['a target that is not a path', 'GET echo HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
    ['a header that goes on in the next line', 'GET /echo HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n', malformed],
    ['a space before the colon', 'GET /echo HTTP/1.1\r\nHost : a\r\n\r\n', malformed],
    ['lines that end with LF alone', 'GET /echo HTTP/1.1\nHost: a\n\n', malformed],
    ['an unknown method', 'FOO /echo HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
    [
      'a very long URL',
      `GET /echo?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      { status: 431, code: 'HTTP_HEADERS_TOO_LARGE' },
    ],
    [
      'a malformed percent in the query',
      'GET /echo?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n',
      { status: 400, code: 'HTTP_QUERY_MALFORMED' },
    ],
    [
      'a percent at the end of the query',
      'GET /echo?a=50% HTTP/1.1\r\nHost: a\r\n\r\n',
      { status: 400, code: 'HTTP_QUERY_MALFORMED' },
    ],
    [
      'a query that is not UTF-8',
      'GET /echo?a=%ff HTTP/1.1\r\nHost: a\r\n\r\n',
      { status: 400, code: 'HTTP_QUERY_MALFORMED' },
    ],
    [
      'half a character in the query',
      'GET /echo?a=%ED%A0%80 HTTP/1.1\r\nHost: a\r\n\r\n',
      { status: 400, code: 'HTTP_QUERY_MALFORMED' },
    ],
    [
      'a malformed percent in a path without parameters',
      'GET /nowhere/%zz HTTP/1.1\r\nHost: a\r\n\r\n',
      { status: 400, code: 'HTTP_PATH_MALFORMED' },
    ],
  ])('with %s', async (_name, bytes, expected) => {
    expect(await answerTo(bytes)).toMatchObject(expected);
  });

  const send = (body: Buffer | string, headers: Record<string, string> = {}) =>
    fetch(`${harness.url}/echo`, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      headers: { 'Content-Type': 'application/json', ...headers },
    });

  test.each([
    ['invalid UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), {}],
    ['half a character, escaped', '{"a":["\\ud800"]}', {}],
    ['half a character in a name', '{"\\udc00":1}', {}],
    [
      'half a character in UTF-16',
      Buffer.from('{"a":"\ud800"}', 'utf16le'),
      { 'Content-Type': 'application/json; charset=utf-16le' },
    ],
    ['bytes that are not gzip', 'not gzip', { 'Content-Encoding': 'gzip' }],
    ['bytes that are not deflate', 'not deflate', { 'Content-Encoding': 'deflate' }],
    ['bytes that are not brotli', 'not brotli', { 'Content-Encoding': 'br' }],
    ['half of a gzip', gzipSync('{"a":"bcdefghijklmnopqrstuvw"}').subarray(0, 25), { 'Content-Encoding': 'gzip' }],
    [
      'half of a deflate',
      deflateSync('{"a":"bcdefghijklmnopqrstuvw"}').subarray(0, 20),
      { 'Content-Encoding': 'deflate' },
    ],
    [
      'half of a brotli',
      brotliCompressSync('{"a":"bcdefghijklmnopqrstuvw"}').subarray(0, 20),
      { 'Content-Encoding': 'br' },
    ],
  ])('with a body of %s, in our own words', async (_name, body, headers) => {
    const problem = await problemFrom(await send(body, headers as Record<string, string>));
    expect([problem.status, problem.body.type]).toEqual([400, 'urn:keelson:problem:HTTP_BODY_MALFORMED']);
    expect(problem.body.detail).toMatch(
      /^(The body is not valid UTF-8|The body cannot be decompressed|A text in the body)/,
    );
  });

  test('with a body in a charset that JSON has not', async () => {
    const problem = await problemFrom(await send('{}', { 'Content-Type': 'application/json; charset=utf-7' }));
    expect([problem.status, problem.body.type]).toEqual([415, 'urn:keelson:problem:HTTP_BODY_UNSUPPORTED']);
  });
});

test.each([
  ['HTTP/1.0 without a Host', 'GET /echo HTTP/1.0\r\n\r\n'],
  [
    'an Upgrade to what HTTP/1.1 can do as well',
    'GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
  ],
  ['an absolute target', 'GET http://a/echo HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a port and an address of IPv6', 'GET /echo HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n'],
  ['percent signs that are characters', 'GET /echo?a=%C3%A4%20b+c HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['Expect: 100-continue', 'POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}'],
])('a request with %s is served', async (_name, bytes) => {
  const connection = await harness.connect();
  connection.send(bytes);
  expect(await connection.until(({ received }) => received.includes('null'))).toContain('HTTP/1.1 200 OK');
  connection.socket.destroy();
});

test('characters of two halves, in any depth, are let through', async () => {
  const body = `${'['.repeat(100)}"\\ud83d\\ude00 😀"${']'.repeat(100)}`;
  const init = { method: 'POST', body, headers: { 'Content-Type': 'application/json' } };
  expect(await (await fetch(`${harness.url}/echo`, init)).text()).toContain('😀 😀');
});

test('a raw body parser of a route fails with our problem documents as well', async () => {
  harness.http.router('/raw', Router().post('/', express.raw({ type: '*/*' })));
  const init = { method: 'POST', body: 'not gzip', headers: { 'Content-Encoding': 'gzip' } };
  const problem = await problemFrom(await fetch(`${harness.url}/raw`, init));
  expect([problem.status, problem.body.type]).toEqual([400, 'urn:keelson:problem:HTTP_BODY_MALFORMED']);
});

test('bytes that are not a request are answered after the request in front of them', async () => {
  const slow = harness.slowRoute('first');
  const connection = await harness.connect();
  connection.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nBLAH\r\n\r\n');
  await slow.arrived;
  slow.open();
  expect(await connection.until(({ closed }) => closed)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*first *HTTP\/1.1 400 /);
});

describe('a client that hangs up in the middle of an upload', () => {
  async function hangUp(headers: string, arrived: Promise<unknown> = Promise.resolve()): Promise<void> {
    const connection = await harness.connect();
    connection.send(`POST /upload HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: 1000\r\n\r\n{"a":`);
    await arrived;
    await expect.poll(() => harness.server.active).toBe(1);
    connection.socket.destroy();
    await expect.poll(() => harness.logger.find('POST')).toBeDefined();
    await expect.poll(() => harness.logger.find('client disconnected')).toBeDefined();
  }

  afterEach(() => {
    expect(harness.logger.find('POST')).toMatchObject({ level: 'warn', facts: { status: 499 } });
    expect(JSON.stringify(harness.logger.lines())).not.toContain('DATABASE_');
  });

  test('of JSON is a 499 for which no session is opened', async () => {
    await hangUp(json);
    expect(sessions.events).toEqual([]);
    const { error } = harness.logger.find('client disconnected')?.facts ?? {};
    expect(error).toMatchObject({ code: 'HTTP_CLIENT_GONE' });
  });

  test.each([
    ['pipeline', (request: Readable) => pipeline(request, createWriteStream('/dev/null'))],
    [
      'a loop',
      async (request: Readable) => {
        for await (const _chunk of request);
      },
    ],
  ])('that a handler reads by %s is a 499, and its session is rolled back', async (_name, read) => {
    const arrived = gate();
    harness.http.router('/upload', async (request, response) => {
      currentSession(request);
      void arrived.pass();
      await read(request);
      response.end();
    });
    await hangUp('', arrived.arrived);
    expect(sessions.events).toEqual(['open', 'abort', 'rollback', 'rolled back']);
  });
});

describe('a stream that this process has ended because of an error', () => {
  const failure = new Error('no space left on the device');

  afterEach(() => {
    expect(harness.telemetry.errors()).toMatchObject([{ error: failure }]);
    expect(harness.logger.lines('error')).toMatchObject([{ facts: { error: failure } }]);
    harness.telemetry.clear();
    harness.logger.clear();
  });

  test('is not a disconnected client: an upload that cannot be stored is reported', async () => {
    const full = () => new Writable({ write: (_chunk, _encoding, callback) => callback(failure) });
    harness.http.router('/upload', request => pipeline(request, full()));
    const body = 'x'.repeat(200_000);
    await fetch(`${harness.url}/upload`, { method: 'POST', body, headers: { 'Content-Type': 'text/plain' } }).catch(
      () => {},
    );
    await expect.poll(() => harness.telemetry.errors()).toHaveLength(1);
  });

  test('is not a disconnected client: an answer whose source fails is cut and reported', async () => {
    async function* source() {
      yield 'first';
      await new Promise(setImmediate);
      throw failure;
    }
    harness.http.router('/rows', (_request, response) => pipeline(source(), response));
    await expect(fetch(`${harness.url}/rows`).then(answer => answer.text())).rejects.toThrow();
    await expect.poll(() => harness.telemetry.errors()).toHaveLength(1);
  });
});
