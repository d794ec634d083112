import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { systemClock } from '../contract/clock.js';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import { Deadline } from '../contract/deadline.js';
import { isKeelsonError } from '../contract/keelson-error.js';
import type { HttpClient, HttpTarget } from '../contract/slots/http-client.js';

/** A client of a service that is ready, for one case. */
export interface HttpClientHarness {
  readonly client: HttpClient;
  /** A target whose base URL is the `url` of the harness. Left out: the promises of targets are not tried. */
  readonly target?: HttpTarget;
  close?(): void | Promise<void>;
}

/** What every HTTP client must do, ours or another's. Asks a server of its own, over sockets of this machine. */
export function httpClientConformance(
  createHarness: (url: string) => HttpClientHarness | Promise<HttpClientHarness>,
): ConformanceCase[] {
  const always = casesOf(() => serve(createHarness));
  const onTarget = casesOf(
    () => serve(createHarness),
    'a target whose base URL is the address of the suite',
    ({ target }) => target !== undefined,
  );
  const ofTargets = (name: string, check: (target: HttpTarget, server: SuiteServer) => Promise<void>) =>
    onTarget(name, async ({ target, server }) => target && check(target, server));

  return [
    always('sends method, path, headers and body, and gives the answer', async ({ client, server }) => {
      const response = await client.fetch(`${server.url}/orders?full=1`, {
        method: 'POST',
        headers: { 'X-Case': 'one' },
        body: 'sent',
      });
      equal(await response.text(), 'answer');
      const { method, path, header, body } = server.seen[0] ?? {};
      deepEqual(
        { method, path, header, body },
        { method: 'POST', path: '/api/orders?full=1', header: 'one', body: 'sent' },
      );
    }),
    always('takes a URL and a Request as well as a text', async ({ client, server }) => {
      equal((await client.fetch(new URL(server.url))).status, 200);
      equal((await client.fetch(new Request(server.url, { method: 'PUT' }))).status, 200);
      deepEqual(
        server.seen.map(({ method }) => method),
        ['GET', 'PUT'],
      );
    }),
    always('resolves with the last answer, whatever its status', async ({ client, server }) => {
      for (const status of [204, 404, 409, 500]) {
        server.answer = response => void response.writeHead(status).end();
        equal((await client.fetch(server.url, { idempotent: false })).status, status);
      }
    }),
    always('sends once what may not be sent twice', async ({ client, server }) => {
      server.answer = reset;
      await rejects(client.fetch(server.url, { method: 'POST', body: '{}' }));
      await rejects(client.fetch(server.url, { idempotent: false }));
      equal(server.seen.length, 2);
    }),
    always(
      'ends at the deadline with an error of its own, and leaves no request behind',
      async ({ client, server }) => {
        server.answer = never;
        const deadline = Deadline.after(100, systemClock);
        const signal = AbortSignal.timeout(longestMs);
        const error = await client.fetch(server.url, { deadline, signal }).catch((thrown: unknown) => thrown);
        ok(isKeelsonError(error), `not a KeelsonError: ${String(error)}`);
        await server.allCut();
      },
    ),
    always('sends nothing for a deadline that has passed', async ({ client, server }) => {
      await rejects(client.fetch(server.url, { deadline: Deadline.after(0, systemClock) }));
      equal(server.seen.length, 0);
    }),
    always('ends with the reason of the signal when its caller gives up', async ({ client, server }) => {
      const controller = new AbortController();
      const gone = new Error('gone');
      server.answer = () => controller.abort(gone);
      await rejects(client.fetch(server.url, { signal: controller.signal }), gone);
      await server.allCut();
    }),
    always(
      'gives an answer before its body has ended, and leaves the body to its caller',
      async ({ client, server }) => {
        server.answer = response => void response.writeHead(200).write('begun');
        const response = await client.fetch(server.url);
        const reader = response.body?.getReader();
        equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'begun');
        await reader?.cancel();
        await server.allCut();
      },
    ),
    always('rejects what is no absolute URL', async ({ client }) => {
      await rejects(client.fetch('/orders'));
    }),
    always('knows no target that the configuration does not name', async ({ client }) => {
      equal(client.target('no-such-target'), undefined);
    }),

    ofTargets('sends requests for a target to paths below its base URL', async (target, server) => {
      equal(await (await target.fetch('/orders/7?full=1')).text(), 'answer');
      equal(server.seen[0]?.path, '/api/orders/7?full=1');
    }),
    ofTargets('refuses a path that leads away from the base URL', async (target, server) => {
      for (const path of ['orders', '/../orders', `${server.url}/orders`])
        await rejects(target.fetch(path), isKeelsonError);
      equal(server.seen.length, 0);
    }),
    ofTargets('ends a request to a target at the deadline of its caller', async (target, server) => {
      server.answer = never;
      const deadline = Deadline.after(100, systemClock);
      await rejects(target.fetch('/orders', { deadline, signal: AbortSignal.timeout(longestMs) }), isKeelsonError);
      await server.allCut();
    }),
  ];
}

interface ServedHarness extends HttpClientHarness {
  readonly server: SuiteServer;
}

async function serve(
  createHarness: (url: string) => HttpClientHarness | Promise<HttpClientHarness>,
): Promise<ServedHarness> {
  const server = await new SuiteServer().listen();
  const harness = await createHarness(server.url);
  const close = async () => {
    await harness.close?.();
    await server.close();
  };
  return { client: harness.client, ...(harness.target !== undefined && { target: harness.target }), server, close };
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const never: Answer = () => {};
const reset: Answer = (_response, request) => void request.socket.resetAndDestroy();

interface Seen {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly header: string | string[] | undefined;
  readonly body: string;
}

/** Answers as the case says, and remembers what it was asked. */
class SuiteServer {
  readonly seen: Seen[] = [];
  answer: Answer = response => void response.end('answer');
  readonly #cuts: Promise<unknown>[] = [];
  readonly #server = createServer(async (request, response) => {
    this.#cuts.push(once(response, 'close'));
    const body = await text(request);
    this.seen.push({ method: request.method, path: request.url, header: request.headers['x-case'], body });
    this.answer(response, request);
  });

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** With a path, as the base URLs of services have. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api`;
  }

  /** Resolves when no connection waits for an answer any more. */
  async allCut(): Promise<void> {
    ok(this.#cuts.length > 0, 'the server saw no request');
    const inTime = AbortSignal.timeout(longestCutMs);
    const late = once(inTime, 'abort').then(() => ok(false, 'a request was left behind at the server'));
    await Promise.race([Promise.all(this.#cuts), late]);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Ends a request that ignores its deadline, long after that. */
const longestMs = 5_000;
/** Within this the server must see that no caller waits any more; shorter, so that the above does not help. */
const longestCutMs = 2_000;
