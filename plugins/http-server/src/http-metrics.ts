import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Counter, Histogram, Labels, Metrics } from '@keelson/core';
import { statusOf } from './access-log.js';
import type { Exchange } from './exchange.js';
import { routeOf } from './route-template.js';

const methodLabel = 'http.request.method';
const routeLabel = 'http.route';
const statusLabel = 'http.response.status_code';

/** Others are one, as the conventions ask. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'];

/** Routes that are remembered with their labels. */
const mostRoutes = 1_000;
const aboveEveryStatus = 1_000;

/** Metrics of a server, under the names of the OpenTelemetry conventions; probes and scrapes are not among its requests. */
export class HttpMetrics implements Disposable {
  readonly #durations: Histogram;
  readonly #refusals: Counter;
  readonly #active: Disposable;
  /** Of requests that did not fail, by route, and in it by method and status. */
  readonly #labels = new Map<string, Map<number, Labels>>();

  constructor(metrics: Metrics, active: () => number) {
    this.#durations = metrics.histogram({
      name: 'http.server.request.duration',
      description: 'Duration of requests until the answer was sent or the client disconnected, by route template',
      unit: 's',
      labels: [methodLabel, routeLabel, statusLabel, 'error.type'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    });
    this.#refusals = metrics.counter({
      name: 'http.server.refused_requests',
      description: 'Requests that were refused before their handler, by the code of the answer',
      unit: '{request}',
      labels: ['reason'],
    });
    for (const reason of ['HTTP_NOT_READY', 'HTTP_STOPPING', 'HTTP_OVERLOADED']) this.#refusals.add(0, { reason });
    this.#active = metrics.gauge(
      { name: 'http.server.active_requests', description: 'Requests without a complete answer', unit: '{request}' },
      () => [{ value: active() }],
    );
  }

  /** The answer was sent, or the client has disconnected. */
  ended(exchange: Exchange, request: IncomingMessage, response: ServerResponse, durationMs: number): void {
    if (exchange.refused) this.refused(exchange.code);
    if (exchange.probe) return;
    const status = statusOf(response);
    this.#durations.record(durationMs / 1_000, this.#labelsOf(exchange, request, status));
  }

  /** A request was refused before it had a handler. */
  refused(code = 'other'): void {
    this.#refusals.add(1, { reason: code });
  }

  [Symbol.dispose](): void {
    this.#active[Symbol.dispose]();
  }

  /** A request that failed has an error of its own; all others share the labels of their route. */
  #labelsOf(exchange: Exchange, request: IncomingMessage, status: number | undefined): Labels {
    const route = routeOf(request) ?? '';
    const method = methods.indexOf(request.method ?? '');
    if (status === undefined || status >= 500 || exchange.cutBy !== undefined) {
      return { ...labelsFor(route, method, status), 'error.type': errorType(exchange, status) };
    }
    const known = this.#labels.get(route) ?? this.#remember(route);
    const key = method * aboveEveryStatus + status;
    const labels = known.get(key);
    if (labels !== undefined) return labels;
    const made = Object.freeze(labelsFor(route, method, status));
    known.set(key, made);
    return made;
  }

  #remember(route: string): Map<number, Labels> {
    const made = new Map<number, Labels>();
    if (this.#labels.size < mostRoutes) this.#labels.set(route, made);
    return made;
  }
}

/** Without a route where none has answered, and without a status where the client has not waited for one. */
function labelsFor(route: string, method: number, status: number | undefined): Labels {
  return {
    [methodLabel]: methods[method] ?? '_OTHER',
    ...(route !== '' && { [routeLabel]: route }),
    ...(status !== undefined && { [statusLabel]: String(status) }),
  };
}

function errorType({ code, cutBy }: Exchange, status: number | undefined): string {
  return status === undefined ? 'client_disconnected' : (cutBy ?? code ?? String(status));
}
