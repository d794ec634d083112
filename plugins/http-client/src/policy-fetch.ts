import {
  type Attempt,
  type Clock,
  currentDeadline,
  Deadline,
  type ExecuteOptions,
  type FailureVerdict,
  type HttpRequestOptions,
  KeelsonError,
  type RetryPolicy,
  silentTelemetry,
  systemClock,
  type Telemetry,
} from '@keelson/core';
import { isRetryError } from '@keelson/core/retry';
import { judgeFailure, judgeStatus } from './judge-answer.js';
import { mayRepeat } from './may-repeat.js';
import type { RequestMetrics } from './request-metrics.js';
import { RequestTrace } from './request-trace.js';
import { timeoutText } from './timeout-text.js';

export interface PolicyFetchOptions {
  /** What the calls are named, before the method: `http-client` for `http-client.get`, the default. */
  readonly name?: string;
  /**
   * Whose health the breaker judges. Default: host and port of the URL. A policy remembers each target that it has seen:
   * give a name where users choose the hosts.
   */
  readonly target?: string | ((url: URL) => string);
  /** What sends each attempt. Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /**
   * The header in which each attempt says how long its caller still waits, in seconds; it replaces one of the caller. Default:
   * none is sent.
   */
  readonly timeoutHeader?: string;
  /** What a date in `Retry-After` is compared with. */
  readonly clock?: Clock;
  /** Receives a span for each attempt. Default: silent telemetry. */
  readonly telemetry?: Telemetry;
  /** Returns true for a server that continues the trace: requests to it carry the trace headers. Default: no server does. */
  readonly tracesTo?: (url: URL) => boolean;
  /** Measures each attempt. Default: none is. */
  readonly measured?: RequestMetrics | undefined;
  /** What metrics call the target. Default: `target`. */
  readonly label?: string;
}

export type PolicyFetch = (input: string | URL | Request, init?: HttpRequestOptions) => Promise<Response>;

/**
 * `fetch` under a retry policy.
 *
 * The answer is judged by its status and headers: 408, 425, 429, 502, 503 and 504 are worth a further attempt, after what
 * `Retry-After` asks for; a status of 500 or above counts against the target, any other is proof that it is well. When the
 * policy gives up on a status, the last response is returned as `fetch` would. The body is the caller's: no deadline or
 * timeout of the policy ends reading it, only the signal of the caller does.
 *
 * An attempt whose time is over is aborted. The body of an answer that is tried again is cancelled, so that its socket is
 * free while the policy waits.
 *
 * Rejects with what the policy throws: what `fetch` threw when the request may not be repeated; a `RetryError` when
 * attempts or time have run out or the breaker is open; the reason of the signal when the caller gave up. When the policy
 * gives up after it has cancelled the body of an answer, that answer is not returned: the call rejects with a `RetryError`,
 * whose cause is `HTTP_CLIENT_STATUS`.
 */
export function createPolicyFetch(policy: RetryPolicy, options: PolicyFetchOptions = {}): PolicyFetch {
  if (typeof options.target === 'string') policy.declareTarget?.(options.target);
  return async (input, init = {}) => {
    const { idempotent, attemptTimeoutMs, deadline: given, ...request } = init;
    const running = currentDeadline();
    const deadline = given === undefined ? running : Deadline.earliest(given, running);
    const whole = input instanceof Request ? input : undefined;
    const url = new URL(whole?.url ?? String(input));
    const method = (request.method ?? whole?.method ?? 'GET').toUpperCase();
    const headers = new Headers(request.headers ?? whole?.headers);
    const body = request.body === undefined ? whole?.body : request.body;
    const signal = request.signal === undefined ? whole?.signal : (request.signal ?? undefined);
    const target = targetOf(options.target, url);
    const { timeoutHeader } = options;
    const send = (attempt: Attempt, traced?: Headers) => {
      const leftMs = Math.min(attempt.deadline.remainingMs(), attemptTimeoutMs ?? Number.POSITIVE_INFINITY);
      const isSaid = timeoutHeader !== undefined && Number.isFinite(leftMs);
      const changed = traced ?? (isSaid ? headers : undefined);
      if (isSaid) changed?.set(timeoutHeader, timeoutText(timeoutHeader, leftMs));
      return (options.fetch ?? fetch)(input, {
        ...request,
        ...(changed !== undefined && { headers: changed }),
        signal: either(attempt.signal, signal),
      });
    };
    const { telemetry = silentTelemetry, tracesTo } = options;
    const trace = telemetry.enabled
      ? new RequestTrace(telemetry, { method, url, target, headers, isContinued: tracesTo?.(url) === true })
      : undefined;
    const exchange = new Exchange(
      trace === undefined ? send : attempt => trace.attempt(attempt.number, traced => send(attempt, traced)),
      { method, host: url.host },
      options.clock ?? systemClock,
      options.measured && { by: options.measured, target: options.label ?? target },
    );
    return exchange.run(policy, {
      name: `${options.name ?? 'http-client'}.${method.toLowerCase()}`,
      target,
      idempotent: mayRepeat({ method, headers, body, idempotent }),
      ...(deadline !== undefined && { deadline }),
      ...(attemptTimeoutMs !== undefined && { attemptTimeoutMs }),
      ...(signal !== undefined && { signal }),
    });
  };
}

/** An answer that was not good enough, until it is tried again. */
interface Refused {
  readonly response: Response;
  readonly verdict: FailureVerdict;
  readonly error: KeelsonError;
}

type Send = (attempt: Attempt) => Promise<Response>;

interface RequestFacts {
  readonly method: string;
  readonly host: string;
}

interface Measured {
  readonly by: RequestMetrics;
  readonly target: string;
}

/** One request, however often it is sent. */
class Exchange {
  readonly #send: Send;
  readonly #facts: RequestFacts;
  readonly #clock: Clock;
  readonly #measured: Measured | undefined;
  #refused: Refused | undefined;

  constructor(send: Send, facts: RequestFacts, clock: Clock, measured: Measured | undefined) {
    this.#send = send;
    this.#facts = facts;
    this.#clock = clock;
    this.#measured = measured;
  }

  async run(policy: RetryPolicy, options: ExecuteOptions): Promise<Response> {
    try {
      return await policy.execute(attempt => this.#attempt(attempt), {
        ...options,
        classify: error => this.#judge(error),
        onRetry: () => this.#release(),
      });
    } catch (error) {
      const refused = this.#refused;
      const isLast = refused?.error === error || (isRetryError(error) && refused?.error === error.cause);
      if (refused !== undefined && isLast) return refused.response;
      this.#release();
      throw error;
    }
  }

  async #attempt(attempt: Attempt): Promise<Response> {
    this.#release();
    const response = await (this.#measured === undefined
      ? this.#send(attempt)
      : this.#measure(attempt, this.#measured));
    if (attempt.signal.aborted) {
      void response.body?.cancel().catch(() => {});
      throw attempt.signal.reason;
    }
    const verdict = judgeStatus(response, this.#clock);
    if (verdict === undefined) return response;
    const error = statusError(response.status, this.#facts);
    this.#refused = { response, verdict, error };
    throw error;
  }

  async #measure(attempt: Attempt, { by, target }: Measured): Promise<Response> {
    const startedAt = this.#clock.now();
    const { method } = this.#facts;
    try {
      const response = await this.#send(attempt);
      by.answered(target, method, response.status, this.#clock.now() - startedAt);
      return response;
    } catch (error) {
      by.failed(target, method, error, this.#clock.now() - startedAt);
      throw error;
    }
  }

  #judge(error: unknown): FailureVerdict {
    const refused = this.#refused;
    return refused !== undefined && refused.error === error ? refused.verdict : judgeFailure(error);
  }

  /** Frees the socket of an answer that will not be read. */
  #release(): void {
    const refused = this.#refused;
    this.#refused = undefined;
    void refused?.response.body?.cancel().catch(() => {});
  }
}

function targetOf(target: PolicyFetchOptions['target'], url: URL): string {
  return typeof target === 'function' ? target(url) : (target ?? url.host);
}

function either(attempt: AbortSignal, caller: AbortSignal | undefined): AbortSignal {
  return caller === undefined ? attempt : AbortSignal.any([attempt, caller]);
}

function statusError(status: number, { method, host }: RequestFacts): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_CLIENT_STATUS',
    message: `${host} answered ${method} with ${status}.`,
    hint: `Read the logs of ${host}.`,
    facts: { method, host, status },
  });
}
