import { expect, test } from 'vitest';
import { mayRepeat } from './may-repeat.js';

const ask = (method: string, more: { idempotent?: boolean; body?: unknown; key?: string } = {}) =>
  mayRepeat({
    method,
    headers: new Headers(more.key === undefined ? {} : { 'Idempotency-Key': more.key }),
    body: more.body,
    idempotent: more.idempotent,
  });

test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])('%s may be repeated', method => {
  expect(ask(method)).toBe(true);
  expect(ask(method, { idempotent: false })).toBe(false);
});

test.each(['POST', 'PATCH', 'PURGE'])('%s may be repeated only when the caller says so', method => {
  expect(ask(method)).toBe(false);
  expect(ask(method, { idempotent: true })).toBe(true);
  expect(ask(method, { key: 'order-17' })).toBe(true);
  expect(ask(method, { key: 'order-17', idempotent: false })).toBe(false);
});

test.each([
  ['nothing', null],
  ['text', '{}'],
  ['a Buffer', Buffer.from('{}')],
  ['an ArrayBuffer', new ArrayBuffer(2)],
  ['a Blob', new Blob(['{}'])],
  ['a form', new FormData()],
  ['parameters', new URLSearchParams({ a: '1' })],
])('%s is sent from the start again', (_name, body) => {
  expect(ask('PUT', { body })).toBe(true);
});

test.each([
  ['a stream', new ReadableStream()],
  ['an iterable', (async function* () {})()],
])('%s is sent once, whatever the caller says', (_name, body) => {
  expect(ask('PUT', { body, idempotent: true })).toBe(false);
});
