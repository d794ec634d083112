import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Deadline, singleAttempt, systemClock } from '@keelson/core';
import { createPolicyFetch, type PolicyFetch } from '@keelson/http-client';
import { CockatielRetryPolicy } from '@keelson/retry-cockatiel';
import { OpossumRetryPolicy } from '@keelson/retry-opossum';
import { eventually } from '@keelson/test-support/eventually';
import { freePort } from '@keelson/test-support/free-port';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

interface Seen {
  readonly method: string | undefined;
  readonly body: string;
  readonly atMs: number;
  /** The connection went away before the answer was complete. */
  cut: boolean;
}

/** A real server that gives the answers it is given, one for each request; the last one goes on. */
class Target implements AsyncDisposable {
  readonly seen: Seen[] = [];
  answers: Answer[] = [status(200, 'done')];
  readonly #server = createServer(async (request, response) => {
    const body = await text(request).catch(() => '');
    const seen: Seen = { method: request.method, body, atMs: performance.now(), cut: false };
    response.on('close', () => {
      seen.cut = !response.writableFinished;
    });
    const answer = this.answers[Math.min(this.seen.length, this.answers.length - 1)];
    this.seen.push(seen);
    answer?.(response, request);
  });

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/stock/17`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

const status =
  (code: number, body = '', headers: Record<string, string> = {}): Answer =>
  response =>
    void response.writeHead(code, headers).end(body);
const reset: Answer = (_response, request) => void request.socket.resetAndDestroy();
const hang: Answer = () => {};
/** Headers, the beginning of a body, and never an end. */
const endless =
  (code: number): Answer =>
  response =>
    void response.writeHead(code).write('x'.repeat(1_000));

const quick = { maxAttempts: 3, initialDelayMs: 1, maxDelayMs: 5, cancelGraceMs: 50 };

let target: Target;

beforeEach(async () => {
  target = await new Target().listen();
});

afterEach(async () => {
  await target[Symbol.asyncDispose]();
});

describe.each([
  ['opossum', OpossumRetryPolicy],
  ['cockatiel', CockatielRetryPolicy],
])('fetch under a retry policy on %s', (_name, Policy) => {
  let policies: { stop(): void }[] = [];
  let policyFetch: PolicyFetch;

  const build = (options: object = {}) => {
    const policy = new Policy({ options: { policies: { default: { ...quick, ...options } } } });
    policies.push(policy);
    return createPolicyFetch(policy);
  };

  beforeEach(() => {
    policyFetch = build();
  });

  afterEach(() => {
    for (const policy of policies) policy.stop();
    policies = [];
  });

  test('a connection that is reset is tried again', async () => {
    target.answers = [reset, status(200, 'done')];
    const response = await policyFetch(target.url);
    expect([response.status, await response.text(), target.seen.length]).toEqual([200, 'done', 2]);
  });

  test.each([408, 425, 429, 502, 503, 504])('%i is tried again', async code => {
    target.answers = [status(code), status(200, 'done')];
    expect((await policyFetch(new URL(target.url))).status).toBe(200);
    expect(target.seen).toHaveLength(2);
  });

  test.each([400, 404, 409, 500, 501])('%i is returned as it is', async code => {
    target.answers = [status(code, 'why'), status(200)];
    const response = await policyFetch(new Request(target.url));
    expect([response.status, await response.text(), target.seen.length]).toEqual([code, 'why', 1]);
  });

  test('waits for as long as Retry-After asks, in seconds or until a date', async () => {
    const date = new Date(Date.now() + 2_000).toUTCString();
    target.answers = [status(503, '', { 'Retry-After': date }), status(429, '', { 'Retry-After': '1' }), status(200)];
    await policyFetch(target.url);
    const [first, second, third] = target.seen.map(({ atMs }) => performance.timeOrigin + atMs);
    expect(second ?? first ?? 0).toBeGreaterThanOrEqual(Date.parse(date) - 2);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(999);
  });

  test('the last response is returned, body and all, when the policy gives up on a status', async () => {
    target.answers = [status(503, 'first'), status(503, 'second'), status(503, 'third')];
    const response = await policyFetch(target.url);
    expect([response.status, await response.text(), target.seen.length]).toEqual([503, 'third', 3]);
  });

  test('a pause that the deadline leaves no time for is not begun, and the response is returned', async () => {
    target.answers = [status(503, 'later', { 'Retry-After': '60' })];
    const deadline = Deadline.after(5_000, systemClock);
    const response = await policyFetch(target.url, { deadline });
    expect([response.status, await response.text(), target.seen.length]).toEqual([503, 'later', 1]);
    expect(deadline.remainingMs()).toBeGreaterThan(2_000);
  });

  test('the socket of an answer that is tried again is free while the policy waits', async () => {
    target.answers = [endless(503), status(200)];
    await policyFetch(target.url);
    await eventually(() => expect(target.seen[0]?.cut).toBe(true));
  });

  test('an attempt over its time is aborted at the server, and the next one may come through', async () => {
    target.answers = [hang, status(200, 'done')];
    const response = await policyFetch(target.url, { attemptTimeoutMs: 100 });
    expect(await response.text()).toBe('done');
    await eventually(() => expect(target.seen.map(({ cut }) => cut)).toEqual([true, false]));
  });

  test('ends at the deadline of the caller and leaves no request behind', async () => {
    target.answers = [hang];
    const late = policyFetch(target.url, { deadline: Deadline.after(150, systemClock) });
    await expect(late).rejects.toMatchObject({
      code: 'RETRY_DEADLINE_EXCEEDED',
      facts: { operation: 'http-client.get' },
    });
    await eventually(() => expect(target.seen.map(({ cut }) => cut)).toEqual([true]));
  });

  test('ends when the caller gives up, before the answer and within its body', async () => {
    target.answers = [hang];
    const before = new AbortController();
    const waiting = policyFetch(target.url, { signal: before.signal });
    await eventually(() => expect(target.seen).toHaveLength(1));
    before.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');

    target.answers = [endless(200)];
    const within = new AbortController();
    const response = await policyFetch(new Request(target.url, { signal: within.signal }));
    const reading = response.text();
    within.abort(new Error('gone'));
    await expect(reading).rejects.toThrow('gone');
    await eventually(() => expect(target.seen.map(({ cut }) => cut)).toEqual([true, true]));
  });

  test('a refused connection ends in the error of the policy, with what fetch said as its cause', async () => {
    const port = await freePort();
    await expect(policyFetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'RETRY_ATTEMPTS_EXHAUSTED',
      facts: { operation: 'http-client.get', target: `127.0.0.1:${port}`, attempts: 3 },
      cause: { name: 'TypeError', cause: { code: 'ECONNREFUSED' } },
    });
  });

  test.each(['POST', 'PATCH'])('%s is sent once, whatever becomes of it', async method => {
    target.answers = [status(503, 'busy'), reset];
    const response = await policyFetch(target.url, { method, body: '{}' });
    expect([response.status, await response.text()]).toEqual([503, 'busy']);
    await expect(policyFetch(target.url, { method, body: '{}' })).rejects.toMatchObject({ message: 'fetch failed' });
    expect(target.seen).toHaveLength(2);
  });

  test.each([
    ['text', () => '{"sku":"17"}', '{"sku":"17"}'],
    ['a Buffer', () => Buffer.from('bytes'), 'bytes'],
    ['parameters', () => new URLSearchParams({ sku: '17' }), 'sku=17'],
    ['a Blob', () => new Blob(['blob']), 'blob'],
    ['a form', () => formOf({ sku: '17' }), 'name="sku"'],
  ])('a POST that says it may be repeated sends %s whole each time', async (_kind, body, expected) => {
    target.answers = [reset, status(503), status(201)];
    const headers = { 'Idempotency-Key': 'order-17' };
    expect((await policyFetch(target.url, { method: 'POST', body: body(), headers })).status).toBe(201);
    expect(target.seen.map(seen => seen.body)).toEqual([1, 2, 3].map(() => expect.stringContaining(expected)));
  });

  test('a stream is sent once', async () => {
    target.answers = [status(503, 'busy'), status(200)];
    const body = new Blob(['once']).stream();
    const response = await policyFetch(target.url, { method: 'PUT', body, duplex: 'half', idempotent: true });
    expect([response.status, target.seen.map(seen => seen.body)]).toEqual([503, ['once']]);
  });

  test('5xx opens the breaker of its host alone, 4xx does not', async () => {
    policyFetch = build({ whenOpen: 'refuse', breaker: { breakMs: 5_000, windowMs: 10_000 } });
    target.answers = [status(404)];
    for (let call = 0; call < 6; call++) await policyFetch(target.url);
    target.answers = [status(500)];
    for (let call = 0; call < 6; call++) await policyFetch(target.url);
    expect(target.seen).toHaveLength(12);
    await expect(policyFetch(target.url)).rejects.toMatchObject({
      code: 'CIRCUIT_OPEN',
      cause: { code: 'HTTP_CLIENT_STATUS', facts: { method: 'GET', host: new URL(target.url).host, status: 500 } },
    });
    expect(target.seen).toHaveLength(12);
    await using other = await new Target().listen();
    expect((await policyFetch(other.url)).status).toBe(200);
  });
});

describe('fetch without a retry policy', () => {
  const policyFetch = createPolicyFetch(singleAttempt(systemClock), { name: 'stock', target: 'stock' });

  test('is sent once, and its answer is returned', async () => {
    target.answers = [status(503, 'busy'), status(200)];
    const response = await policyFetch(target.url);
    expect([response.status, await response.text(), target.seen.length]).toEqual([503, 'busy', 1]);
  });

  test('fails as fetch does', async () => {
    target.answers = [reset];
    await expect(policyFetch(target.url)).rejects.toMatchObject({ message: 'fetch failed' });
    await expect(policyFetch('/no/host')).rejects.toMatchObject({ code: 'ERR_INVALID_URL' });
  });

  test('ends at its deadline', async () => {
    target.answers = [hang];
    const late = policyFetch(target.url, { deadline: Deadline.after(100, systemClock) });
    await expect(late).rejects.toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', facts: { name: 'stock.get' } });
    await eventually(() => expect(target.seen[0]?.cut).toBe(true));
  });
});

function formOf(fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  return form;
}
