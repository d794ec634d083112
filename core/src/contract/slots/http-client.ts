import type { Deadline } from '../deadline.js';
import { type ServiceToken, serviceToken } from '../token.js';

/** The options of `fetch`, and the limits of the request. */
export interface HttpRequestOptions extends RequestInit {
  /**
   * May the request be sent more than once? Default: true for GET, HEAD, OPTIONS, TRACE, PUT and DELETE, and for any other
   * with an `Idempotency-Key` header. A stream as body, also that of a `Request`, is sent once whatever is said here.
   */
  readonly idempotent?: boolean;
  /**
   * The answer must have begun by then, waits and retries included. The deadline of the calling code (`currentDeadline`)
   * applies, too: the earlier of the two counts. Default: the client's own.
   */
  readonly deadline?: Deadline;
  /** The longest wait for an answer to one attempt. Default: the client's own. */
  readonly attemptTimeoutMs?: number;
}

/** A server that the configuration names. */
export interface HttpTarget {
  readonly name: string;
  /** As `HttpClient.fetch`, for `path` below the base URL of the target; it begins with `/` and may have a query. */
  fetch(path: string, options?: HttpRequestOptions): Promise<Response>;
}

/**
 * Sends requests to other services.
 *
 * Resolves with the last answer, whatever its status; the body is the caller's to read or cancel, and only `signal` ends
 * reading it. Rejects with the reason of `signal` when the caller gives up, and with a `KeelsonError` when time runs out or
 * the retry policy refuses the request. Otherwise rejects with the error of `fetch`, or with an error that has it as its cause.
 */
export interface HttpClient {
  /** As the global `fetch`, for an absolute URL. */
  fetch(input: string | URL | Request, options?: HttpRequestOptions): Promise<Response>;
  /** Returns the target of this name in the configuration; undefined when there is none. */
  target(name: string): HttpTarget | undefined;
}

/** Bound by the plugin in the slot `http-client` alone: there is no silent default, since it would know no target. */
export const HttpClient: ServiceToken<HttpClient> = serviceToken('@keelson/core/HttpClient');
