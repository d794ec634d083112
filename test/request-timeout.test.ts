import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  currentDeadline,
  Deadline,
  definePlugin,
  HttpClient,
  HttpServer,
  type Kernel,
  runWithDeadline,
  singleAttempt,
  systemClock,
} from '@keelson/core';
import httpClient, { createPolicyFetch } from '@keelson/http-client';
import http from '@keelson/http-express';
import retry from '@keelson/retry-opossum';
import { startKernel } from '@keelson/test-support/start-kernel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const kernels: Kernel[] = [];

async function serviceWith(handle: (kernel: () => Kernel, response: ServerResponse) => unknown, values: object) {
  const routes = definePlugin({
    name: 'routes',
    requires: [HttpServer],
    optional: [HttpClient],
    start: ({ container }) =>
      container.get(HttpServer).router('/', (_request, response, next) => {
        Promise.resolve(handle(() => kernel, response)).catch(next);
      }),
  });
  const kernel = await startKernel({
    plugins: { http, retry, 'http-client': httpClient, routes },
    values: { http: { deadline: {} }, ...values },
  });
  kernels.push(kernel);
  return kernel;
}

/** What stands behind the service: it notes what it is asked, and counts connections. */
class Behind implements AsyncDisposable {
  readonly seen: IncomingMessage['headers'][] = [];
  connections = 0;
  answers: number[] = [];
  readonly #server = createServer((request, response) => {
    this.seen.push(request.headers);
    response.writeHead(this.answers.shift() ?? 200).end('done');
  }).on('connection', () => {
    this.connections += 1;
  });

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  timeouts(name = 'request-timeout'): (string | undefined)[] {
    return this.seen.map(headers => headers[name]?.toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

afterAll(async () => {
  for (const kernel of kernels) await kernel.stop();
});

describe('two services in a chain', () => {
  let front: string;
  let last: Kernel;
  const left: (number | undefined)[] = [];
  let failures = 0;

  beforeAll(async () => {
    last = await serviceWith((_kernel, response) => {
      left.push(currentDeadline()?.remainingMs());
      response.writeHead(failures-- > 0 ? 503 : 200).end('done');
    }, {});
    const first = await serviceWith(
      async (kernel, response) => {
        const answer = await kernel().container.get(HttpClient).target('last')?.fetch('/work');
        response.end(await answer?.text());
      },
      {
        retry: { policies: { default: { initialDelayMs: 20, maxDelayMs: 40, maxAttempts: 4 } } },
        'http-client': { targets: { last: { baseUrl: last.container.get(HttpServer).url } } },
      },
    );
    front = first.container.get(HttpServer).url ?? '';
  });

  const ask = (timeout: string) => fetch(front, { headers: { 'Request-Timeout': timeout } });

  test('the second has less time than the first, although no code passes it on', async () => {
    left.length = 0;
    expect((await ask('5')).status).toBe(200);
    expect(left).toHaveLength(1);
    expect(left[0]).toBeLessThan(5_000);
    expect(left[0]).toBeGreaterThan(3_000);
  });

  test('repeated requests share the time of the first: each has less than the one before', async () => {
    left.length = 0;
    failures = 2;
    expect((await ask('5')).status).toBe(200);
    const [one = 0, two = 0, three = 0] = left;
    expect(left).toHaveLength(3);
    expect([5_000 > one, one >= two, two >= three, one > three]).toEqual([true, true, true, true]);
  });

  test('a client that waits no longer gets its refusal, and the second service no request', async () => {
    left.length = 0;
    expect((await ask('0')).status).toBe(503);
    expect(left).toEqual([]);
  });
});

describe('a request to a target', () => {
  let behind: Behind;
  beforeEach(async () => {
    behind = await new Behind().listen();
  });
  afterEach(() => behind[Symbol.asyncDispose]());

  const clientWith = async (options: object, target: object = {}) => {
    const kernel = await startKernel({
      plugins: { 'http-client': httpClient },
      values: { 'http-client': { ...options, targets: { behind: { baseUrl: behind.url, ...target } } } },
    });
    kernels.push(kernel);
    return kernel.container.get(HttpClient);
  };
  const within = <T>(ms: number, work: () => T) => runWithDeadline(Deadline.after(ms, systemClock), work);

  test.each([
    ['the time that is left for the work', 900, {}, {}, 0.9],
    ['that of the target when it is shorter', 9_000, { timeoutMs: 800 }, {}, 0.8],
    ['that of one attempt when it is shorter', 9_000, { attemptTimeoutMs: 700 }, {}, 0.7],
    ['the shortest, whatever its caller says', 600, { timeoutMs: 9_000 }, { attemptTimeoutMs: 8_000 }, 0.6],
    ['never more, also when its caller copies a header', 500, {}, { headers: { 'Request-Timeout': '60' } }, 0.5],
  ])('says %s', async (_name, ms, target, options, most) => {
    const client = await clientWith({}, target);
    await within(ms, () => client.target('behind')?.fetch('/', options));
    const [text = ''] = behind.timeouts();
    expect(text).toMatch(/^0\.\d{1,3}$/);
    expect(Number(text)).toBeLessThanOrEqual(most);
    expect(Number(text)).toBeGreaterThan(most - 0.4);
  });

  test('keeps its own headers and its body', async () => {
    const client = await clientWith({});
    await within(5_000, () =>
      client
        .target('behind')
        ?.fetch('/', { method: 'POST', body: new URLSearchParams('a=1'), headers: { 'X-Own': 'yes' } }),
    );
    expect(behind.seen[0]).toMatchObject({
      'x-own': 'yes',
      'content-type': expect.stringContaining('x-www-form-urlencoded'),
      'request-timeout': expect.any(String),
    });
  });

  test.each([
    ['a server of others', {}, { sendTimeout: false }],
    ['a deployment that wants none', { timeoutHeader: false }, {}],
  ])('says nothing to %s', async (_name, options, target) => {
    const client = await clientWith(options, target);
    await within(5_000, () => client.target('behind')?.fetch('/'));
    expect(behind.timeouts()).toEqual([undefined]);
  });

  test('says nothing when no caller waits for a limited time, or to a URL that is no target', async () => {
    const client = await clientWith({});
    await client.target('behind')?.fetch('/');
    await within(5_000, () => client.fetch(behind.url));
    expect(behind.timeouts()).toEqual([undefined, undefined]);
  });

  test('says it under the name that the deployment gives, and as gRPC writes it in its header', async () => {
    const own = await clientWith({ timeoutHeader: 'X-Time-Left' });
    await within(5_000, () => own.target('behind')?.fetch('/'));
    const grpc = await clientWith({ timeoutHeader: 'grpc-timeout' });
    await within(5_000, () => grpc.target('behind')?.fetch('/'));
    expect(behind.timeouts('x-time-left')[0]).toMatch(/^4\.\d{1,3}$|^5$/);
    expect(behind.timeouts('grpc-timeout')[1]).toMatch(/^[1-5]\d{3}m$/);
  });

  test('is refused at once when no time is left, and no connection is made', async () => {
    const client = await clientWith({});
    const late = within(0, () => client.target('behind')?.fetch('/'));
    await expect(late).rejects.toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED', http: { status: 503 } });
    const policyFetch = createPolicyFetch(singleAttempt(systemClock), { timeoutHeader: 'Request-Timeout' });
    await expect(within(0, () => policyFetch(behind.url))).rejects.toMatchObject({ code: 'RETRY_DEADLINE_EXCEEDED' });
    expect(behind.connections).toBe(0);
  });
});
