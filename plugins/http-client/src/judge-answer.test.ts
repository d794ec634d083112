import { KeelsonError } from '@keelson/core';
import { attemptTimeout } from '@keelson/core/retry';
import { FakeClock } from '@keelson/core/testing';
import { expect, test } from 'vitest';
import { judgeFailure, judgeStatus, retryAfterOf } from './judge-answer.js';

const clock = new FakeClock(new Date('2026-01-01T00:00:00Z'));
const verdictOn = (status: number, headers = {}) => judgeStatus(new Response(null, { status, headers }), clock);

test.each([200, 204, 302, 304, 400, 401, 403, 404, 409, 410, 422])('%i is an answer like any other', status => {
  expect(verdictOn(status)).toBeUndefined();
});

test.each([408, 425, 429])('%i is worth a further attempt, and the server is well', status => {
  expect(verdictOn(status)).toEqual({ retry: true, availability: 'up' });
});

test.each([502, 503, 504])('%i is worth a further attempt, and counts against the server', status => {
  expect(verdictOn(status)).toEqual({ retry: true, availability: 'down' });
});

test.each([500, 501, 505, 507])('%i counts against the server, and would come again', status => {
  expect(verdictOn(status, { 'retry-after': '5' })).toEqual({ retry: false, availability: 'down' });
});

test('the verdict carries what Retry-After asks for', () => {
  expect(verdictOn(503, { 'retry-after': '7' })).toMatchObject({ retryAfterMs: 7_000 });
});

test.each([
  ['0', 0],
  ['120', 120_000],
  [' 3 ', 3_000],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
  ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
])('Retry-After: %s is %i ms', (value, ms) => {
  expect(retryAfterOf(value, clock)).toBe(ms);
});

test.each([null, '', 'soon', '-5', '1.5', '2026-01-01'])('Retry-After: %s is not understood', value => {
  expect(retryAfterOf(value, clock)).toBeUndefined();
});

/** As `fetch` throws what undici or the system said. */
const fetchFailed = (cause: unknown) => new TypeError('fetch failed', { cause });
const coded = (code: string) => Object.assign(new Error('said by the system'), { code });

test.each([
  ['a reset', fetchFailed(coded('ECONNRESET'))],
  ['a refusal at every address', fetchFailed(new AggregateError([coded('ECONNREFUSED')]))],
  ['a name that does not resolve', fetchFailed(coded('ENOTFOUND'))],
  ['a socket that undici lost', fetchFailed(coded('UND_ERR_SOCKET'))],
  ['an attempt over its time', attemptTimeout({ operation: 'a.b', target: 'a', attempts: 1, elapsedMs: 5 }, 5)],
])('%s counts against the server, and the next attempt may come through', (_name, error) => {
  expect(judgeFailure(error)).toEqual({ retry: true, availability: 'down' });
});

test.each([
  ['a certificate that is not trusted', fetchFailed(coded('DEPTH_ZERO_SELF_SIGNED_CERT'))],
  ['a wrong URL', new TypeError('Failed to parse URL')],
  ['an error of the caller', new KeelsonError({ code: 'ORDERS_UNKNOWN', message: 'there is no such order' })],
  ['a value that is not an error', 'text'],
])('%s proves nothing about the server, and would occur again', (_name, error) => {
  expect(judgeFailure(error)).toEqual({ retry: false, availability: 'unknown' });
});
