import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, systemClock } from '../contract/clock.js';
import { type CorrelationContext, currentContext } from '../contract/context.js';
import { errorKindOf } from '../contract/error-kind.js';
import type { Facts } from '../contract/keelson-error.js';
import { notedFactsOf } from '../contract/noted-facts.js';
import {
  type Attributes,
  type AttributeValue,
  type Breadcrumb,
  type ErrorContext,
  type OpenSpan,
  type Span,
  type SpanKind,
  type SpanOptions,
  silentSpan,
  type Telemetry,
} from '../contract/slots/telemetry.js';
import { AttachedFacts } from '../telemetry/attached-facts.js';
import { type RemoteTrace, remoteTraceIn, traceparentOf } from '../telemetry/remote-trace.js';

export interface RecordedSpan {
  readonly name: string;
  readonly operation: string;
  readonly kind: SpanKind;
  /** Those given at the start and those set since. */
  readonly attributes: Attributes;
  readonly events: readonly { readonly name: string; readonly attributes: Attributes }[];
  /** Undefined while no outcome is set. */
  readonly status: 'ok' | 'error' | undefined;
  /** In which way it failed. */
  readonly errorKind: string | undefined;
  /** Undefined while the span runs. */
  readonly durationMs: number | undefined;
  readonly parent: RecordedSpan | undefined;
  /** The span of another process that it continues. */
  readonly remoteParentId: string | undefined;
  /** 32 hexadecimal digits: 1 for the first trace, 2 for the next, unless it continues another. */
  readonly traceId: string;
  /** 16 hexadecimal digits: 1 for the first span, 2 for the next. */
  readonly spanId: string;
}

export interface RecordedError extends ErrorContext {
  readonly error: unknown;
  readonly context: CorrelationContext;
  /** The span it was captured in. */
  readonly span: RecordedSpan | undefined;
  /** What was attached, by name. */
  readonly attached: Readonly<Record<string, Facts>>;
}

type Started = { -readonly [Key in keyof RecordedSpan]: RecordedSpan[Key] } & {
  readonly state: string | undefined;
  /** False when the sender of its trace does not record it: nor is it here. */
  readonly isSampled: boolean;
};
type Scope = { readonly suppressed: boolean; readonly span: Started | undefined };

/** Telemetry that keeps its spans, breadcrumbs and errors. */
export class RecordingTelemetry implements Telemetry {
  readonly enabled = true;
  readonly #clock: Clock;
  readonly #scope = new AsyncLocalStorage<Scope>();
  readonly #spans: Started[] = [];
  readonly #errors: RecordedError[] = [];
  readonly #breadcrumbs: Breadcrumb[] = [];
  readonly #attached = new AttachedFacts();
  #captured = new WeakSet<object>();
  #traces = 0;
  #started = 0;

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

  /** The breadcrumbs so far; with `category`, only those of it. */
  breadcrumbs(category?: string): readonly Breadcrumb[] {
    return this.#breadcrumbs.filter(crumb => category === undefined || crumb.category === category);
  }

  /** Forgets everything so far. */
  clear(): void {
    this.#spans.length = 0;
    this.#errors.length = 0;
    this.#breadcrumbs.length = 0;
    this.#captured = new WeakSet();
  }

  async span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.startSpan(options);
    try {
      const result = await span.run(() => work(span));
      if (span instanceof RecordingSpan) span.settle('ok');
      return result;
    } catch (error) {
      if (span instanceof RecordingSpan) span.settle('error', error);
      throw error;
    } finally {
      span.end();
    }
  }

  startSpan(options: SpanOptions): OpenSpan {
    const scope = this.#scope.getStore();
    if (scope?.suppressed) return silentSpan;
    return new RecordingSpan(this.#begin(options, scope?.span), this.#clock, this.#scope);
  }

  captureError(error: unknown, context: ErrorContext = {}): void {
    if (typeof error === 'object' && error !== null) {
      if (this.#captured.has(error)) return;
      this.#captured.add(error);
    }
    const attached = Object.fromEntries(this.#attached.read());
    const span = this.#scope.getStore()?.span;
    const noted = notedFactsOf(error);
    const known = noted === undefined ? context : { ...context, facts: { ...noted, ...context.facts } };
    this.#errors.push({ ...known, error, context: currentContext(), span, attached });
  }

  breadcrumb(breadcrumb: Breadcrumb): void {
    this.#breadcrumbs.push(breadcrumb);
  }

  attachFacts(name: string, read: () => Facts): Disposable {
    return this.#attached.attach(name, read);
  }

  suppress<T>(work: () => T): T {
    return this.#scope.run({ suppressed: true, span: this.#scope.getStore()?.span }, work);
  }

  currentTraceId(): string | undefined {
    return this.#current()?.traceId;
  }

  currentSpanId(): string | undefined {
    const span = this.#current();
    return span?.isSampled === true ? span.spanId : undefined;
  }

  outgoingHeaders(): Readonly<Record<string, string>> {
    const span = this.#current();
    if (span === undefined) return {};
    const { state } = span;
    const traceparent = traceparentOf(span);
    return state === undefined ? { traceparent } : { traceparent, tracestate: state };
  }

  async flush(): Promise<boolean> {
    return true;
  }

  #current(): Started | undefined {
    const scope = this.#scope.getStore();
    return scope?.suppressed ? undefined : scope?.span;
  }

  #begin(options: SpanOptions, current: Started | undefined): Started {
    const { name, operation, kind = 'internal', attributes, continues } = options;
    const remote: RemoteTrace | undefined = continues && remoteTraceIn(continues);
    const around = options.parent instanceof RecordingSpan ? options.parent.recorded : current;
    const parent = continues === undefined ? around : undefined;
    const span: Started = {
      name,
      operation,
      kind,
      attributes: { ...attributes },
      events: [],
      status: undefined,
      errorKind: undefined,
      durationMs: undefined,
      parent,
      remoteParentId: remote?.spanId,
      traceId: remote?.traceId ?? parent?.traceId ?? (++this.#traces).toString(16).padStart(32, '0'),
      spanId: (++this.#started).toString(16).padStart(16, '0'),
      state: remote?.state ?? parent?.state,
      isSampled: remote?.isSampled ?? parent?.isSampled ?? true,
    };
    if (span.isSampled) this.#spans.push(span);
    return span;
  }
}

class RecordingSpan implements OpenSpan {
  readonly recorded: Started;
  readonly #clock: Clock;
  readonly #scope: AsyncLocalStorage<Scope>;
  readonly #startedAt: number;

  constructor(recorded: Started, clock: Clock, scope: AsyncLocalStorage<Scope>) {
    this.recorded = recorded;
    this.#clock = clock;
    this.#scope = scope;
    this.#startedAt = clock.now();
  }

  get isRecording(): boolean {
    return this.recorded.isSampled && this.recorded.durationMs === undefined;
  }

  get traceId(): string {
    return this.recorded.traceId;
  }

  get spanId(): string | undefined {
    return this.recorded.isSampled ? this.recorded.spanId : undefined;
  }

  setName(name: string): void {
    if (this.isRecording) this.recorded.name = name;
  }

  setAttribute(name: string, value: AttributeValue): void {
    if (this.isRecording) this.recorded.attributes = { ...this.recorded.attributes, [name]: value };
  }

  setStatus(status: 'ok' | 'error', kind?: string): void {
    if (!this.isRecording) return;
    this.recorded.status = status;
    this.recorded.errorKind = kind;
  }

  addEvent(name: string, attributes: Attributes = {}): void {
    if (this.isRecording) this.recorded.events = [...this.recorded.events, { name, attributes }];
  }

  run<T>(work: () => T): T {
    return this.#scope.run({ suppressed: false, span: this.recorded }, work);
  }

  /** The status of work that has set none. */
  settle(status: 'ok' | 'error', error?: unknown): void {
    if (this.recorded.status === undefined) this.setStatus(status, status === 'error' ? errorKindOf(error) : undefined);
  }

  end(): void {
    if (this.isRecording) this.recorded.durationMs = this.#clock.now() - this.#startedAt;
  }
}
