import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type ConformanceCase, casesOf } from '../contract/conformance.js';
import type { HttpHandler, HttpServer } from '../contract/slots/http-server.js';

/** A server of a service that is ready, on a port of its own, for one case. */
export interface HttpServerHarness {
  readonly http: HttpServer;
  /** What a stop of the service does to it. */
  stop(): Promise<void>;
  close?(): void | Promise<void>;
}

/**
 * The promises of every HTTP server, ours or another's. Sends its requests to the address that the server reports.
 * When `prepare` is given, `createHarness` calls it during the start of a plugin, before the server is ready.
 */
export function httpServerConformance(
  createHarness: (prepare?: (http: HttpServer) => void) => HttpServerHarness | Promise<HttpServerHarness>,
): ConformanceCase[] {
  const promise = casesOf(() => createHarness());
  const withMiddleware = casesOf(() => createHarness(useFive));

  return [
    promise('reports its address, without a path', async ({ http }) => {
      match(http.url ?? '', /^https?:\/\/(\[[\da-f:.]+\]|[^/:[\]]+):\d+$/);
    }),
    promise('answers 404 where nothing is mounted', async ({ http }) => {
      equal((await ask(`${http.url}/nothing`)).status, 404);
    }),
    promise('hands a request to the handler of its path, with the rest as url', async ({ http }) => {
      http.router('/orders', echo);
      equal(await textOf(http, '/orders/7?full=1'), 'GET /7?full=1');
      equal(await textOf(http, '/orders'), 'GET /');
    }),
    promise('matches the path of a handler with whole parts of the requested path only', async ({ http }) => {
      http.router('/orders', echo);
      equal((await ask(`${http.url}/orders-of-others`)).status, 404);
    }),
    promise('passes requests of every method to the handler', async ({ http }) => {
      http.router('/orders', echo);
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        equal(await textOf(http, '/orders/7', { method }), `${method} /7`);
      }
    }),
    promise('tries handlers in the order in which they were mounted', async ({ http }) => {
      const tried: string[] = [];
      http.router('/orders', (_request, _response, next) => {
        tried.push('first');
        next();
      });
      http.router('/orders', (_request, response) => {
        tried.push('second');
        response.end('done');
      });
      http.router('/orders', () => tried.push('third'));
      equal(await textOf(http, '/orders'), 'done');
      deepEqual(tried, ['first', 'second']);
    }),
    promise('tries handlers without a session before all others', async ({ http }) => {
      http.router('/', (_request, response) => void response.end('service'));
      http.router('/livez', (_request, response) => void response.end('probe'), { session: 'none' });
      equal(await textOf(http, '/livez'), 'probe');
      equal(await textOf(http, '/other'), 'service');
    }),
    promise('answers 404 when every handler passes the request on', async ({ http }) => {
      http.router('/orders', (_request, _response, next) => next());
      equal((await ask(`${http.url}/orders`)).status, 404);
    }),
    promise('answers 500 to an error, without its details', async ({ http }) => {
      const fail = () => {
        throw new Error('hush-message');
      };
      http.router('/throws', fail);
      http.router('/passes', (_request, _response, next) => next(new Error('hush-message')));
      http.router('/rejects', async () => fail());
      for (const path of ['/throws', '/passes', '/rejects']) {
        const response = await ask(`${http.url}${path}`);
        equal(response.status, 500, path);
        ok(!(await response.text()).includes('hush'), `the answer to ${path} shows the error`);
      }
    }),
    promise('goes on answering after an error', async ({ http }) => {
      http.router('/fails', (_request, _response, next) => next(new Error('once')));
      http.router('/works', echo);
      await ask(`${http.url}/fails`);
      equal(await textOf(http, '/works'), 'GET /');
    }),
    promise('does not mix up requests that run at the same time', async ({ http }) => {
      http.router('/orders', async (request, response) => {
        await new Promise(resolve => setImmediate(resolve));
        response.end(request.url);
      });
      const numbers = Array.from({ length: 20 }, (_, number) => `/${number}`);
      deepEqual(await Promise.all(numbers.map(number => textOf(http, `/orders${number}`))), numbers);
    }),
    withMiddleware('runs middleware by stage, then by `before`, then by name', async ({ http }) => {
      http.router('/orders', (_request, response, next) => {
        passed(response, 'route');
        next();
      });
      const { headers } = await ask(`${http.url}/orders/7`);
      equal(headers.get('x-passed'), 'z-early /orders/7, b /orders/7, a /orders/7, inner /7, route, late /orders/7');
    }),
    withMiddleware('runs middleware with a path there and below only', async ({ http }) => {
      const { headers } = await ask(`${http.url}/orders-of-others`);
      equal(headers.get('x-passed')?.includes('inner'), false);
    }),
    withMiddleware('takes no middleware once the service is ready', async ({ http }) => {
      throws(() => http.use((_request, _response, next) => next(), { name: 'late-comer' }), {
        code: 'HTTP_MIDDLEWARE_LATE',
      });
    }),
    promise('listens no more once the service has stopped', async ({ http, stop }) => {
      const { url } = http;
      await stop();
      await rejects(ask(`${url}/`));
      equal(http.url, undefined);
    }),
  ];
}

/** Added in another order than that in which they run. */
function useFive(http: HttpServer): void {
  const noting =
    (name: string): HttpHandler =>
    (request, response, next) => {
      passed(response, `${name} ${request.url}`);
      next();
    };
  http.use(noting('late'), { name: 'late', stage: 'late' });
  http.use(noting('inner'), { name: 'inner', path: '/orders' });
  http.use(noting('a'), { name: 'a', stage: 'session' });
  http.use(noting('b'), { name: 'b', stage: 'session', before: 'a' });
  http.use(noting('z-early'), { name: 'z-early', stage: 'early' });
}

function passed(response: ServerResponse, by: string): void {
  const before = response.getHeader('X-Passed');
  response.setHeader('X-Passed', before === undefined ? by : `${before}, ${by}`);
}

const echo: HttpHandler = (request, response) => void response.end(`${request.method} ${request.url}`);

/** On a connection of its own: the one of another case may end with its server, which had the same port. */
function ask(url: string, init?: RequestInit): Promise<Response> {
  return fetch(url, { ...init, headers: { connection: 'close' } });
}

async function textOf({ url }: HttpServer, path: string, init: RequestInit = {}): Promise<string> {
  const response = await ask(`${url}${path}`, init);
  equal(response.status, 200, `${path} is answered with ${response.status}`);
  return response.text();
}
