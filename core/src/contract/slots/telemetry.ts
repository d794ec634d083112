import { type ServiceToken, serviceToken } from '../token.js';

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface SpanOptions {
  /** Low in cardinality: `database.session`, never with an id in it. */
  readonly name: string;
  /** What kind of work: `db`, `http.server`, `job`. */
  readonly operation: string;
  readonly attributes?: Attributes;
}

export interface Span {
  setAttribute(name: string, value: AttributeValue): void;
  /** `ok` only once the outcome is certain. Left alone, `span` sets `ok` on resolve and `error` on reject. */
  setStatus(status: 'ok' | 'error'): void;
}

export interface ErrorContext {
  /** Name of the failed work: `database.session`. */
  readonly operation?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** Spans and error tracking. No method throws errors of its own, and only `flush` waits for the network. */
export interface Telemetry {
  /** Runs `work` inside a span that ends when its promise settles; the result and the error pass through unchanged. */
  span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Reports a final failure. The same error object is reported once, however often it is captured. */
  captureError(error: unknown, context?: ErrorContext): void;
  /** Runs `work` without any span; for pings and probes. */
  suppress<T>(work: () => T): T;
  /** Returns the id of the current trace, if any. */
  currentTraceId(): string | undefined;
  /** Resolves when everything has been sent, or after `timeoutMs`; true when all was sent. */
  flush(timeoutMs: number): Promise<boolean>;
}

export const Telemetry: ServiceToken<Telemetry> = serviceToken('@keelson/core/Telemetry');

const silentSpan: Span = { setAttribute() {}, setStatus() {} };

/** Bound when no telemetry is configured. */
export const silentTelemetry: Telemetry = {
  span: async (_options, work) => work(silentSpan),
  captureError() {},
  suppress: work => work(),
  currentTraceId: () => undefined,
  flush: async () => true,
};
