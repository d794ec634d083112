import type { Facts } from '../keelson-error.js';
import { type ServiceToken, serviceToken } from '../token.js';

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Which side of a call a span shows: `server` and `consumer` receive it, `client` and `producer` make it. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** Headers as Node has them: the names in lower case. */
export type IncomingHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface SpanOptions {
  /** Low in cardinality: `db.session`, never with an id in it. */
  readonly name: string;
  /** What kind of work: `db.session`, `http.server`, `job`. */
  readonly operation: string;
  /** Default `internal`. */
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** The span that it is a part of. Default: the current one of the calling code. */
  readonly parent?: Span;
  /**
   * The headers of the request or message that the work answers: the trace of their sender goes on in place of that of the
   * calling code. A new trace begins when they have no valid one.
   */
  readonly continues?: IncomingHeaders;
}

/** No method throws. A span that has ended ignores every call. */
export interface Span {
  /** False when nothing of it will be sent: skip work that only computes names and attributes. */
  readonly isRecording: boolean;
  /** Replaces the name, when it is known late: `GET /orders/:id`. */
  setName(name: string): void;
  setAttribute(name: string, value: AttributeValue): void;
  /**
   * `ok` only once the outcome is certain. `kind` says in which way it failed, low in cardinality, and is sent as
   * `error.type`: `DATABASE_CONNECTION_LOST`. When the work has set no status, `Telemetry.span` sets `ok` if the work
   * resolves, and `error` with the kind from `errorKindOf` if it rejects.
   */
  setStatus(status: 'ok' | 'error', kind?: string): void;
  /** Adds an event to the span, at the current time. */
  addEvent(name: string, attributes?: Attributes): void;
}

/** A span that its owner ends. */
export interface OpenSpan extends Span {
  /** 32 hexadecimal digits; undefined in silent telemetry and in suppressed work. */
  readonly traceId: string | undefined;
  /** 16 hexadecimal digits; undefined for a span that is not recorded. */
  readonly spanId: string | undefined;
  /** Makes it the current span of everything that `work` calls and awaits. Does not end it. */
  run<T>(work: () => T): T;
  /** Ends it. Its status stays unset when none was set. A second call has no effect. */
  end(): void;
}

export interface ErrorContext {
  /** Name of the failed work: `database.session`. */
  readonly operation?: string;
  readonly facts?: Facts;
}

/** Something that has happened, for the errors that are reported after it. */
export interface Breadcrumb {
  /** Part and topic: `database.state`, `retry.breaker`. */
  readonly category: string;
  /** One sentence without a user's value. */
  readonly message: string;
  /** Default `info`. */
  readonly level?: 'info' | 'warn' | 'error';
  readonly facts?: Facts;
  /** Concerns the whole process, as a lost database does, not only the request or job of the calling code. Default false. */
  readonly processWide?: boolean;
}

/** Spans and error tracking. No method throws errors of its own, and only `flush` waits for the network. */
export interface Telemetry {
  /** False for silent telemetry, and then it stays so: skip everything that only feeds spans and breadcrumbs. */
  readonly enabled: boolean;
  /** Runs `work` inside a span that ends when its promise settles; the result and the error pass through unchanged. */
  span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Starts a span for work that is not one function. The caller ends it, and makes it current with `run`. */
  startSpan(options: SpanOptions): OpenSpan;
  /** Reports a final failure. The same error object is reported once, however often it is captured. */
  captureError(error: unknown, context?: ErrorContext): void;
  /** Keeps a breadcrumb; the latest ones are sent with each error. */
  breadcrumb(breadcrumb: Breadcrumb): void;
  /**
   * Calls `read` for each error that is reported from now on, and sends the facts with it under `name`: the state of a pool
   * or a breaker. Disposing of the result ends that.
   */
  attachFacts(name: string, read: () => Facts): Disposable;
  /** Runs `work` without any span; for pings and probes. */
  suppress<T>(work: () => T): T;
  /** Returns the id of the current trace, if any. */
  currentTraceId(): string | undefined;
  /** Returns the id of the current span, if any is recorded. */
  currentSpanId(): string | undefined;
  /**
   * Returns the headers with which a request continues the current trace elsewhere: `traceparent`, and further ones of the
   * implementation. Empty outside of a span and in suppressed work.
   */
  outgoingHeaders(): Readonly<Record<string, string>>;
  /** Resolves when everything has been sent, or after `timeoutMs`; true when all was sent. */
  flush(timeoutMs: number): Promise<boolean>;
}

export const Telemetry: ServiceToken<Telemetry> = serviceToken('@keelson/core/Telemetry');

/** A span of which nothing is kept. */
export const silentSpan: OpenSpan = Object.freeze({
  isRecording: false,
  traceId: undefined,
  spanId: undefined,
  setName() {},
  setAttribute() {},
  setStatus() {},
  addEvent() {},
  run: <T>(work: () => T) => work(),
  end() {},
});

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});
const nothingAttached: Disposable = { [Symbol.dispose]() {} };

/** Bound when no telemetry is configured. */
export const silentTelemetry: Telemetry = {
  enabled: false,
  span: async (_options, work) => work(silentSpan),
  startSpan: () => silentSpan,
  captureError() {},
  breadcrumb() {},
  attachFacts: () => nothingAttached,
  suppress: work => work(),
  currentTraceId: () => undefined,
  currentSpanId: () => undefined,
  outgoingHeaders: () => noHeaders,
  flush: async () => true,
};
