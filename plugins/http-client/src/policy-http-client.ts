import {
  type Clock,
  Deadline,
  type HttpClient,
  type HttpRequestOptions,
  type HttpTarget,
  KeelsonError,
  type Metrics,
  type RetryPolicy,
  type Telemetry,
} from '@keelson/core';
import type { HttpClientOptions, TargetOptions } from './options.js';
import { createPolicyFetch, type PolicyFetch } from './policy-fetch.js';
import { measureRequests, type RequestMetrics } from './request-metrics.js';

export interface HttpClientParts {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly metrics?: Metrics;
}

/** `fetch` under a retry policy: to any server, and to those that the configuration names. */
export class PolicyHttpClient implements HttpClient {
  readonly fetch: PolicyFetch;
  readonly #targets: ReadonlyMap<string, HttpTarget>;

  constructor(options: HttpClientOptions, { policy, clock, telemetry, metrics }: HttpClientParts) {
    const targets = Object.entries(options.targets);
    const origins = originsOf(options);
    const measured = measureRequests(metrics);
    const parts = { policy, clock, telemetry, measured };
    this.fetch = createPolicyFetch(policy, { clock, telemetry, measured, tracesTo: url => origins.has(url.origin) });
    this.#targets = new Map(
      targets.map(([name, target]) => [
        name,
        new PolicyTarget(name, target, { ...parts, timeoutHeader: timeoutHeaderOf(options, target) }),
      ]),
    );
  }

  target(name: string): HttpTarget | undefined {
    return this.#targets.get(name);
  }
}

/** The servers that traces go on to: the targets that allow it. */
function originsOf({ targets }: HttpClientOptions): ReadonlySet<string> {
  const allowing = Object.values(targets).filter(target => target.propagateTrace);
  return new Set(allowing.map(target => new URL(target.baseUrl).origin));
}

/** Undefined for a server that is not to know how long its caller waits. */
function timeoutHeaderOf({ timeoutHeader }: HttpClientOptions, { sendTimeout }: TargetOptions): string | undefined {
  return timeoutHeader === false || !sendTimeout ? undefined : timeoutHeader;
}

interface TargetParts {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly timeoutHeader: string | undefined;
  readonly measured: RequestMetrics | undefined;
}

class PolicyTarget implements HttpTarget {
  readonly name: string;
  readonly #options: TargetOptions;
  /** Without the slash at the end. */
  readonly #base: string;
  readonly #clock: Clock;
  readonly #fetch: PolicyFetch;

  constructor(name: string, options: TargetOptions, parts: TargetParts) {
    const { policy, clock, telemetry, measured, timeoutHeader } = parts;
    this.name = name;
    this.#options = options;
    this.#base = new URL(options.baseUrl).href.replace(/\/+$/, '');
    this.#clock = clock;
    const { retryTarget: target = name, propagateTrace } = options;
    this.#fetch = createPolicyFetch(policy, {
      clock,
      telemetry,
      measured,
      target,
      label: name,
      tracesTo: () => propagateTrace,
      ...(timeoutHeader !== undefined && { timeoutHeader }),
    });
  }

  /** @throws KeelsonError HTTP_CLIENT_PATH_INVALID for a path that does not lead below the base URL. */
  async fetch(path: string, options: HttpRequestOptions = {}): Promise<Response> {
    const { attemptTimeoutMs } = this.#options;
    const deadline = this.#deadline(options.deadline);
    return this.#fetch(this.#urlOf(path), {
      ...(attemptTimeoutMs !== undefined && { attemptTimeoutMs }),
      ...options,
      ...(deadline !== undefined && { deadline }),
    });
  }

  /** The caller's, or the target's own when that comes first. */
  #deadline(given: Deadline | undefined): Deadline | undefined {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined) return given;
    return given?.within(timeoutMs) ?? Deadline.after(timeoutMs, this.#clock);
  }

  #urlOf(path: string): string {
    const url = path.startsWith('/') ? new URL(`${this.#base}${path}`).href : '';
    if (!url.startsWith(`${this.#base}/`)) throw pathInvalid(this.name);
    return url;
  }
}

/** Without the path, which may hold what a user has written. */
function pathInvalid(target: string): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_CLIENT_PATH_INVALID',
    message: `A request to "${target}" has a path that is not below its base URL.`,
    hint: 'Begin the path with a slash, and encode each part that comes from outside with encodeURIComponent.',
    facts: { target },
  });
}
