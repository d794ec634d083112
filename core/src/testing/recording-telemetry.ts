import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, systemClock } from '../contract/clock.js';
import { type CorrelationContext, currentContext } from '../contract/context.js';
import type {
  Attributes,
  AttributeValue,
  ErrorContext,
  Span,
  SpanOptions,
  Telemetry,
} from '../contract/slots/telemetry.js';

export interface RecordedSpan {
  readonly name: string;
  readonly operation: string;
  /** Those given at the start and those set since. */
  readonly attributes: Attributes;
  /** Undefined while the span runs and no outcome is set. */
  readonly status: 'ok' | 'error' | undefined;
  /** Undefined while the span runs. */
  readonly durationMs: number | undefined;
  readonly parent: RecordedSpan | undefined;
  /** 32 hexadecimal digits: 1 for the first trace, 2 for the next. */
  readonly traceId: string;
}

export interface RecordedError extends ErrorContext {
  readonly error: unknown;
  readonly context: CorrelationContext;
  /** The span it was captured in. */
  readonly span: RecordedSpan | undefined;
}

type OpenSpan = { -readonly [Key in keyof RecordedSpan]: RecordedSpan[Key] } & { attributes: Attributes };
type Scope = { readonly suppressed: boolean; readonly span: OpenSpan | undefined };

/** Telemetry that keeps its spans and errors. */
export class RecordingTelemetry implements Telemetry {
  readonly #clock: Clock;
  readonly #scope = new AsyncLocalStorage<Scope>();
  readonly #spans: OpenSpan[] = [];
  readonly #errors: RecordedError[] = [];
  #captured = new WeakSet<object>();
  #traces = 0;

  /** Durations are on `clock`. Default: the system's. */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** The spans so far in the order they began; with `name`, only those of that name. */
  spans(name?: string): readonly RecordedSpan[] {
    return this.#spans.filter(span => name === undefined || span.name === name);
  }

  /** The errors captured so far, each object once. */
  errors(): readonly RecordedError[] {
    return [...this.#errors];
  }

  /** Forgets everything so far. */
  clear(): void {
    this.#spans.length = 0;
    this.#errors.length = 0;
    this.#captured = new WeakSet();
  }

  async span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const scope = this.#scope.getStore();
    if (scope?.suppressed) return work({ setAttribute() {}, setStatus() {} });
    const span = this.#begin(options, scope?.span);
    const startedAt = this.#clock.now();
    try {
      const result = await this.#scope.run({ suppressed: false, span }, () => work(handleOf(span)));
      span.status ??= 'ok';
      return result;
    } catch (error) {
      span.status ??= 'error';
      throw error;
    } finally {
      span.durationMs = this.#clock.now() - startedAt;
    }
  }

  captureError(error: unknown, context: ErrorContext = {}): void {
    if (typeof error === 'object' && error !== null) {
      if (this.#captured.has(error)) return;
      this.#captured.add(error);
    }
    this.#errors.push({ ...context, error, context: currentContext(), span: this.#scope.getStore()?.span });
  }

  suppress<T>(work: () => T): T {
    return this.#scope.run({ suppressed: true, span: this.#scope.getStore()?.span }, work);
  }

  currentTraceId(): string | undefined {
    return this.#scope.getStore()?.span?.traceId;
  }

  async flush(): Promise<boolean> {
    return true;
  }

  #begin(options: SpanOptions, parent: OpenSpan | undefined): OpenSpan {
    const span: OpenSpan = {
      name: options.name,
      operation: options.operation,
      attributes: { ...options.attributes },
      status: undefined,
      durationMs: undefined,
      parent,
      traceId: parent?.traceId ?? (++this.#traces).toString(16).padStart(32, '0'),
    };
    this.#spans.push(span);
    return span;
  }
}

function handleOf(span: OpenSpan): Span {
  return {
    setAttribute(name: string, value: AttributeValue) {
      span.attributes = { ...span.attributes, [name]: value };
    },
    setStatus(status) {
      span.status = status;
    },
  };
}
