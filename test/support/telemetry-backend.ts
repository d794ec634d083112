import { OtlpReceiver } from './otlp-receiver.js';
import { SentryIngest } from './sentry-ingest.js';
import type { Variables } from './service-process.js';

/** A span as it arrived, whichever way it was sent. */
export interface SeenSpan {
  readonly name: string;
  readonly operation: string;
  /** Sentry knows no status that is not set. */
  readonly status: 'ok' | 'error' | 'unset';
  /** In which way it failed. */
  readonly kind: string | undefined;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Where the telemetry of a service arrives. */
export interface TelemetryBackend extends AsyncDisposable {
  /** What makes a service send to it. */
  readonly variables: Variables;
  readonly spans: readonly SeenSpan[];
  /** Each error with all that came with it, as JSON. */
  readonly errors: readonly string[];
  /** Everything that arrived. */
  readonly wire: string;
}

export type BackendName = 'telemetry-sentry' | 'telemetry-otel';

export async function startBackend(name: BackendName): Promise<TelemetryBackend> {
  return name === 'telemetry-otel'
    ? new OtlpBackend(await OtlpReceiver.start())
    : new SentryBackend(await SentryIngest.start());
}

class SentryBackend implements TelemetryBackend {
  readonly #ingest: SentryIngest;

  constructor(ingest: SentryIngest) {
    this.#ingest = ingest;
  }

  get variables(): Variables {
    return { KEELSON_TELEMETRY__USE: '@keelson/telemetry-sentry', KEELSON_TELEMETRY__DSN: this.#ingest.dsn };
  }

  get spans(): readonly SeenSpan[] {
    return this.#ingest.spans.map(span => {
      const attributes = Object.fromEntries(Object.entries(span.attributes).map(([key, { value }]) => [key, value]));
      return {
        name: span.name,
        operation: String(attributes['sentry.op']),
        status: span.status,
        kind: textOf(attributes['error.type']),
        traceId: span.trace_id,
        spanId: span.span_id,
        parentId: span.parent_span_id,
        attributes,
      };
    });
  }

  get errors(): readonly string[] {
    return this.#ingest.events.map(({ text }) => text);
  }

  get wire(): string {
    return this.#ingest.wire;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ingest[Symbol.asyncDispose]();
  }
}

class OtlpBackend implements TelemetryBackend {
  readonly #receiver: OtlpReceiver;

  constructor(receiver: OtlpReceiver) {
    this.#receiver = receiver;
  }

  get variables(): Variables {
    return { KEELSON_TELEMETRY__USE: '@keelson/telemetry-otel', KEELSON_TELEMETRY__ENDPOINT: this.#receiver.url };
  }

  get spans(): readonly SeenSpan[] {
    return this.#receiver.spans.map(({ status, parentSpanId, ...span }) => ({
      name: span.name,
      operation: String(span.attributes['keelson.operation']),
      status: (['unset', 'ok', 'error'] as const)[status] ?? 'unset',
      kind: textOf(span.attributes['error.type']),
      traceId: span.traceId,
      spanId: span.spanId,
      parentId: parentSpanId,
      attributes: span.attributes,
    }));
  }

  get errors(): readonly string[] {
    return this.#receiver.logs.map(log => JSON.stringify(log));
  }

  get wire(): string {
    return this.#receiver.text;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#receiver[Symbol.asyncDispose]();
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
