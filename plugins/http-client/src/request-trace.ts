import { errorKindOf, type OpenSpan, type Telemetry } from '@keelson/core';

export interface TracedRequest {
  readonly method: string;
  readonly url: URL;
  /** Whose health the breaker judges: low in cardinality. */
  readonly target: string;
  /** Those of the caller. */
  readonly headers: Headers;
  /** Whether the server is sent the headers with which the trace goes on. */
  readonly isContinued: boolean;
}

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'QUERY']);

/** The spans of one request, one for each attempt. They have neither path nor query, which hold what users write. */
export class RequestTrace {
  readonly #telemetry: Telemetry;
  readonly #request: TracedRequest;

  constructor(telemetry: Telemetry, request: TracedRequest) {
    this.#telemetry = telemetry;
    this.#request = request;
  }

  /** Runs `send` in a span of its own. It gets the headers to send, when they are not those of the caller. */
  async attempt(number: number, send: (headers?: Headers) => Promise<Response>): Promise<Response> {
    const { method, target, url } = this.#request;
    const shown = knownMethods.has(method) ? method : '_OTHER';
    const span = this.#telemetry.startSpan({
      name: `${shown} ${target}`,
      operation: 'http.client',
      kind: 'client',
      attributes: {
        'http.request.method': shown,
        'server.address': url.hostname,
        'server.port': Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
        'url.scheme': url.protocol.slice(0, -1),
        'peer.service': target,
        ...(number > 1 && { 'http.request.resend_count': number - 1 }),
      },
    });
    try {
      const response = await span.run(() => send(this.#headers()));
      const { status } = response;
      span.setAttribute('http.response.status_code', status);
      if (status < 400) span.setStatus('ok');
      else this.#failed(span, number, String(status));
      return response;
    } catch (error) {
      this.#failed(span, number, errorKindOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  #failed(span: OpenSpan, attempt: number, kind: string): void {
    const { method, target } = this.#request;
    span.setStatus('error', kind);
    this.#telemetry.breadcrumb({
      category: 'http.client',
      message: 'a request failed',
      level: 'warn',
      facts: { target, method, attempt, kind },
    });
  }

  /** A trace that the caller has chosen to send stays as it is. */
  #headers(): Headers | undefined {
    const { headers, isContinued } = this.#request;
    if (!isContinued) return undefined;
    const traced = new Headers(headers);
    for (const [name, value] of Object.entries(this.#telemetry.outgoingHeaders())) {
      if (!traced.has(name)) traced.set(name, value);
    }
    return traced;
  }
}
