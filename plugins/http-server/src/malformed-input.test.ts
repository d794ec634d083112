import { gzipSync } from 'node:zlib';
import { route } from '@keelson/http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Harness } from './harness.fixture.js';
import { Router } from './server-under-test.fixture.js';
import { RecordedSessions } from './sessions.fixture.js';

let harness: Harness;
const sessions = new RecordedSessions();
let handled: unknown[] = [];

const typed = route({
  method: 'post',
  path: '/',
  query: z.looseObject({}),
  body: z.json(),
  answers: { 200: z.json() },
  handle: ({ body, query }) => {
    handled.push({ body, query });
    return { body };
  },
});

beforeAll(async () => {
  harness = await new Harness().ready();
  harness.server.letIn(sessions);
  const plain = Router().all('/', (request, response) => {
    handled.push({ body: request.body, query: request.query });
    response.json(request.body ?? null);
  });
  harness.http.router('/plain', plain);
  harness.server.mountRoutes('/typed', [typed], { checks: true });
});

beforeEach(() => {
  handled = [];
});

afterAll(async () => {
  await harness.stop();
  expect(sessions.events).toEqual([]);
  expect(harness.logger.lines('error')).toEqual([]);
  expect(harness.telemetry.errors()).toEqual([]);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

interface Expected {
  readonly status: number;
  readonly code: string;
  /** The server closes the connection. */
  readonly closed?: boolean;
}

async function answerTo(bytes: Buffer) {
  const connection = await harness.connect();
  connection.socket.write(bytes);
  const received = await connection.until(({ closed, received }) => closed || /([}\]]|null)$/.test(received));
  return { connection, received };
}

/** One problem document of our own, and nothing else. */
async function isRefused(bytes: Buffer, { status, code, closed = false }: Expected): Promise<void> {
  const { connection, received } = await answerTo(bytes);
  expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(received).toContain('Content-Type: application/problem+json\r\n');
  expect(received.match(/^HTTP\/1/gm), 'one answer').toHaveLength(1);
  const document = JSON.parse(received.slice(received.indexOf('\r\n\r\n')));
  expect(document).toMatchObject({ type: `urn:keelson:problem:${code}`, status });
  expect(JSON.stringify(document)).not.toMatch(/node_modules|at \w+ \(|RangeError|SyntaxError|zod/);
  if (closed) await connection.until(({ closed }) => closed);
  else expect(connection.closed).toBe(false);
  connection.socket.destroy();
  expect(handled).toEqual([]);
}

const malformed = { status: 400, code: 'HTTP_REQUEST_MALFORMED', closed: true };
const body400 = { status: 400, code: 'HTTP_BODY_MALFORMED' };
const tooLong = { status: 431, code: 'HTTP_HEADERS_TOO_LARGE', closed: true };
const tooDeep = { status: 400, code: 'HTTP_BODY_TOO_DEEP' };
const tooLarge = { status: 413, code: 'HTTP_BODY_TOO_LARGE' };
const unsupported = { status: 415, code: 'HTTP_BODY_UNSUPPORTED' };
const noExpectation = { status: 417, code: 'HTTP_EXPECTATION_FAILED' };
const badQuery = { status: 400, code: 'HTTP_QUERY_MALFORMED' };

/** Bytes of one character each; a text beyond Latin-1 is a mistake of the test. */
const bytes = (text: string) => Buffer.from(text, 'latin1');
const chunked = (rest: string, headers = '') =>
  `POST PATH HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n${headers}\r\n${rest}`;
const withHeaders = (headers: string, body = '{}') => `POST PATH HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`;
const line = (text: string, headers = '') => `${text}\r\nHost: a\r\n${headers}\r\n`;
const json = (body: string | Buffer, headers = '', type = 'application/json') => {
  const content = typeof body === 'string' ? Buffer.from(body) : body;
  return Buffer.concat([
    bytes(withHeaders(`Content-Type: ${type}\r\nContent-Length: ${content.length}\r\n${headers}`, '')),
    content,
  ]);
};
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

const messages: [string, string, Expected][] = [
  ['a chunk size in hexadecimal notation', chunked('0x2\r\n{}\r\n0\r\n\r\n'), malformed],
  ['a negative chunk size', chunked('-2\r\n{}\r\n0\r\n\r\n'), malformed],
  ['a chunk size beyond 64 bits', chunked('FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n'), malformed],
  ['a chunk size with an underscore', chunked('0_2\r\n{}\r\n0\r\n\r\n'), malformed],
  ['no chunk size', chunked('\r\n{}\r\n0\r\n\r\n'), malformed],
  ['a space after a chunk size', chunked('2 \r\n{}\r\n0\r\n\r\n'), malformed],
  ['chunks that end with LF', chunked('2\n{}\n0\n\n'), malformed],
  ['a chunk size that ends with CR', chunked('2\r{}\r\n0\r\n\r\n'), malformed],
  ['LF in a chunk extension', chunked('2;a\nb\r\n{}\r\n0\r\n\r\n'), malformed],
  ['a very long chunk extension', chunked(`2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`), malformed],
  ['a chunk that is shorter than its size', chunked('5\r\n{}\r\n0\r\n\r\n'), malformed],
  ['a length in the trailer', chunked('2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n'), malformed],
  ['a trailer that is no header', chunked('2\r\n{}\r\n0\r\na b c\r\n\r\n'), malformed],
  ['a very long trailer', chunked(`2\r\n{}\r\n0\r\nX: ${'a'.repeat(30_000)}\r\n\r\n`), tooLong],
  ['chunked twice', chunked('2\r\n{}\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n'), malformed],
  ['a length after chunked', chunked('0\r\n\r\n', 'Content-Length: 5\r\n'), malformed],
  ['the coding identity', withHeaders('Transfer-Encoding: identity\r\n'), malformed],
  ['an unknown coding', withHeaders('Transfer-Encoding: xchunked\r\n'), malformed],
  ['a coding after chunked', withHeaders('Transfer-Encoding: chunked, gzip\r\n'), malformed],
  ['a coding in quotes', withHeaders('Transfer-Encoding: "chunked"\r\n'), malformed],
  ['a control character before the coding', withHeaders('Transfer-Encoding: \x0bchunked\r\n'), malformed],
  ['a coding in HTTP/1.0', chunked('2\r\n{}\r\n0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0'), malformed],
  ['a length with a sign', withHeaders('Content-Length: +2\r\n'), malformed],
  ['a length in hexadecimal notation', withHeaders('Content-Length: 0x2\r\n'), malformed],
  ['two lengths in one header', withHeaders('Content-Length: 2, 2\r\n'), malformed],
  ['an empty length', withHeaders('Content-Length: \r\n'), malformed],
  ['a length with a space inside', withHeaders('Content-Length: 1 1\r\n'), malformed],
  ['a length beyond 64 bits', withHeaders('Content-Length: 99999999999999999999\r\n'), malformed],
  ['a space before the colon of a length', withHeaders('Content-Length : 2\r\n'), malformed],
  ['an asterisk as target', line('POST * HTTP/1.1'), malformed],
  ['an authority as target', line('POST a:80 HTTP/1.1'), malformed],
  ['an absolute target of another host', line('POST http://evilPATH HTTP/1.1'), malformed],
  ['an absolute target of another scheme', line('POST ftp://aPATH HTTP/1.1'), malformed],
  ['a fragment in the target', line('POST PATH#part HTTP/1.1'), malformed],
  ['a method in small letters', line('post PATH HTTP/1.1'), malformed],
  ['a space in the method', line('PO ST PATH HTTP/1.1'), malformed],
  ['a very long method', line(`${'A'.repeat(20_000)} PATH HTTP/1.1`), malformed],
  ['tabs in the request line', line('POST\tPATH\tHTTP/1.1'), malformed],
  ['a space after the version', line('POST PATH HTTP/1.1 '), malformed],
  ['a version of two digits', line('POST PATH HTTP/1.10'), malformed],
  ['a version in small letters', line('POST PATH http/1.1'), malformed],
  ['a space before the method', ` ${line('POST PATH HTTP/1.1')}`, malformed],
  ['CR in a header', line('POST PATH HTTP/1.1', 'X: a\rb\r\n'), malformed],
  ['LF at the end of a header', line('POST PATH HTTP/1.1', 'X: a\nY: b\r\n'), malformed],
  ['a first header that continues the request line', 'POST PATH HTTP/1.1\r\n Host: a\r\n\r\n', malformed],
  ['a header without a name', line('POST PATH HTTP/1.1', ': a\r\n'), malformed],
  ['a header without a colon', line('POST PATH HTTP/1.1', 'abc\r\n'), malformed],
  ['a control character in a header', line('POST PATH HTTP/1.1', 'X: a\x01b\r\n'), malformed],
  ['DEL in a header', line('POST PATH HTTP/1.1', 'X: a\x7fb\r\n'), malformed],
  ['a bracket in the name of a header', line('POST PATH HTTP/1.1', 'X(y): a\r\n'), malformed],
  ['two hosts in one header', 'POST PATH HTTP/1.1\r\nHost: a, b\r\n\r\n', malformed],
  ['a port of six digits', 'POST PATH HTTP/1.1\r\nHost: a:999999\r\n\r\n', malformed],
  ['two ports', 'POST PATH HTTP/1.1\r\nHost: a:1:2\r\n\r\n', malformed],
  ['more headers than are counted', line('POST PATH HTTP/1.1', 'a:b\r\n'.repeat(2_500)), tooLong],
  ['a very long header', line('POST PATH HTTP/1.1', `X: ${'a'.repeat(20_000)}\r\n`), tooLong],
  ['two headers Idempotency-Key', json('{}', 'Idempotency-Key: a\r\nIdempotency-Key: b\r\n').toString(), malformed],
  ['two headers Authorization', json('{}', 'Authorization: a\r\nauthorization: b\r\n').toString(), malformed],
  ['two headers Origin', json('{}', 'Origin: a\r\nOrigin: b\r\n').toString(), malformed],
  ['a second expectation', json('{}', 'Expect: 100-continue\r\nExpect: magic\r\n').toString(), noExpectation],
  ['an expectation around 100-continue', json('{}', 'Expect: x100-continuex\r\n').toString(), noExpectation],
  ['the first bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', malformed],
  ['an incomplete percent in the query', line('POST PATH?a=%4 HTTP/1.1'), badQuery],
];

const bodies: [string, Buffer, Expected][] = [
  ['50,000 nested arrays', json(nested(50_000)), tooDeep],
  ['one level too many, in an object', json(`{"a":${nested(100)}}`), tooDeep],
  ['a name __proto__', json('{"a":[{"__proto__":{"polluted":1}}]}'), body400],
  ['a name __proto__, escaped', json('{"\\u005f_proto__":{"polluted":1}}'), body400],
  ['a constructor with a prototype', json('{"constructor":{"prototype":{"polluted":1}}}'), body400],
  ['a number beyond all numbers', json('{"a":1e999}'), body400],
  ['NaN', json('{"a":NaN}'), body400],
  ['a comment', json('{"a":1} // no'), body400],
  ['a single value', json('1'), body400],
  ['NUL before the text', json('\0{}'), body400],
  ['UTF-16 without its charset', json(Buffer.from('{"a":"ü"}', 'utf16le')), body400],
  ['UTF-8 that calls itself UTF-16', json('{"a":1}', '', 'application/json; charset=utf-16le'), body400],
  ['an unknown charset', json('{}', '', 'application/json; charset=klingon'), unsupported],
  ['an unknown coding of the content', json('{}', 'Content-Encoding: lzma\r\n'), unsupported],
  ['two codings of the content', json('{}', 'Content-Encoding: gzip, gzip\r\n'), unsupported],
  ['a gzip of 50 MB', json(gzipSync(Buffer.alloc(50_000_000, ' ')), 'Content-Encoding: gzip\r\n'), tooLarge],
  [
    'an announced 10 GB',
    bytes(withHeaders('Content-Type: application/json\r\nContent-Length: 9999999999\r\n', '{"a":')),
    { ...tooLarge, closed: true },
  ],
  ['chunks without an end', bytes(chunked(`1ffff\r\n${'['.repeat(0x1ffff)}\r\n`)), { ...tooLarge, closed: true }],
  [
    'too much for 100-continue',
    bytes(withHeaders('Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n', '')),
    { ...tooLarge, closed: true },
  ],
];

describe.each(['/plain', '/typed'])('%s refuses', path => {
  const at = (message: Buffer) => bytes(message.toString('latin1').replace('PATH', path));

  test.each(messages)('%s', (_name, message, expected) => isRefused(at(bytes(message)), expected));

  test.each(bodies)('a body with %s', (_name, message, expected) => isRefused(at(message), expected));

  test('a body of another type, where JSON is read', async () => {
    const { received } = await answerTo(at(bytes(withHeaders('Content-Type: text/plain\r\nContent-Length: 2\r\n'))));
    expect(received).toMatch(path === '/plain' ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 415 [\s\S]*HTTP_BODY_NOT_JSON/);
  });

  test.each([
    ['after bytes that are not a request', line('POST PATH HTTP/1.1', 'X : a\r\n')],
    ['after a request that breaks the rules', line('POST PATH#part HTTP/1.1')],
  ])('what follows on the connection %s', async (_name, first) => {
    const message = at(bytes(first)).toString() + at(json('{}')).toString();
    await isRefused(bytes(message), malformed);
  });

  test.each([
    ['100 levels', json(nested(100))],
    ['a name constructor', json('{"constructor":"x","prototype":1,"proto":2}')],
    ['a mark of the byte order', json('\ufeff{"a":1}')],
    ['UTF-16 with its charset', json(Buffer.from('{"a":"ü"}', 'utf16le'), '', 'application/json; charset=utf-16le')],
    ['a chunk extension', bytes(chunked('2;a=b;c="d"\r\n{}\r\n0\r\n\r\n'))],
    ['a coding in capital letters', bytes(chunked('2\r\n{}\r\n0\r\n\r\n').replace('chunked', 'CHUNKED'))],
    ['an absolute target of this host', json('{}').toString().replace('PATH', 'http://aPATH')],
    ['an empty Host', json('{}').toString().replace('Host: a', 'Host:')],
    ['cookies of one name', json('{}', 'Cookie: a=1; a=2\r\n')],
  ])('not %s', async (_name, message) => {
    const { received } = await answerTo(at(Buffer.from(message as string)));
    expect(received).toMatch(/^HTTP\/1.1 200 /);
    expect(handled).toHaveLength(1);
  });

  test('no names of the query, which change no object, and drops none of many', async () => {
    const names = 'a&'.repeat(3_000);
    const query = `?__proto__[polluted]=1&__proto__=2&constructor[prototype][polluted]=1&${names}`;
    const message = json('{}').toString().replace('PATH', `${path}${query}`);
    const { received } = await answerTo(bytes(message));
    expect(received).toMatch(/^HTTP\/1.1 200 /);
    expect(handled).toMatchObject([{ query: { a: { length: 3_000 } } }]);
  });

  test('no body that is asked for by 100-continue, and keeps the connection then', async () => {
    const connection = await harness.connect();
    const message = withHeaders('Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 7\r\n', '');
    connection.socket.write(at(bytes(message)));
    await connection.until(({ received }) => received.includes('HTTP/1.1 100 Continue\r\n\r\n'));
    connection.socket.write('{"a":1}');
    await connection.until(({ received }) => received.includes('{"a":1}'));
    connection.socket.write(at(json('{"b":2}')));
    await connection.until(({ received }) => received.includes('{"b":2}'));
    connection.socket.destroy();
  });
});

test('an unknown route answers 404 without asking for the body, and closes: the body may come or not', async () => {
  const connection = await harness.connect();
  connection.send(
    'POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n',
  );
  const received = await connection.until(({ closed }) => closed);
  expect(received).toMatch(/^HTTP\/1.1 404 /);
});
