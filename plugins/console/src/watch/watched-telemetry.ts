import {
  type Attributes,
  type AttributeValue,
  type Breadcrumb,
  type Clock,
  ContextValue,
  errorKindOf,
  type OpenSpan,
  type Span,
  type SpanOptions,
  type Telemetry,
} from '@keelson/core';
import { createTelemetryMask } from '@keelson/core/telemetry';
import { cut, type KeptTrace, type SpanNote } from './kept-trace.js';
import type { Traffic } from './traffic.js';

export interface TelemetryWatch {
  readonly clock: Clock;
  readonly traffic: Traffic;
  readonly onBreadcrumb: (breadcrumb: Breadcrumb) => void;
}

/**
 * The telemetry of the service, and beside it what the page shows: it counts requests, and notes the spans of some. All
 * that the service sends goes through unchanged.
 */
export function watchTelemetry(inner: Telemetry, watch: TelemetryWatch): Telemetry {
  return new WatchedTelemetry(inner, watch);
}

const names = createTelemetryMask([]);

/** The names that Keelson itself gives to spans hold no value of a user. */
const ownOperation = /^(http\.server|db|db\.\w+)$/;

class WatchedTelemetry implements Telemetry {
  readonly enabled = true;
  readonly #inner: Telemetry;
  readonly #watch: TelemetryWatch;
  /** The span that the running code works for, in a request that is kept. */
  readonly #current = new ContextValue<SpanNote>('console span');

  constructor(inner: Telemetry, watch: TelemetryWatch) {
    this.#inner = inner;
    this.#watch = watch;
  }

  span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const note = this.#begin(options);
    if (note === undefined) return this.#inner.span(withInnerParent(options), work);
    return this.#inner.span(withInnerParent(options), span =>
      this.#current.run(note, async () => {
        const watched = new WatchedSpan(span, note);
        try {
          const result = await work(watched);
          if (note.outcome === 'unset') note.outcome = 'ok';
          return result;
        } catch (error) {
          if (note.outcome === 'unset') watched.fails(errorKindOf(error));
          throw error;
        } finally {
          this.#end(note);
        }
      }),
    );
  }

  startSpan(options: SpanOptions): OpenSpan {
    if (options.kind === 'server' && options.operation === 'http.server') return this.#startRequest(options);
    const note = this.#begin(options);
    const span = this.#inner.startSpan(withInnerParent(options));
    return note === undefined ? span : new WatchedOpenSpan(span, note, this.#current, () => this.#end(note));
  }

  captureError(...given: Parameters<Telemetry['captureError']>): void {
    this.#inner.captureError(...given);
  }

  breadcrumb(breadcrumb: Breadcrumb): void {
    this.#watch.onBreadcrumb(breadcrumb);
    this.#inner.breadcrumb(breadcrumb);
  }

  attachFacts(...given: Parameters<Telemetry['attachFacts']>): Disposable {
    return this.#inner.attachFacts(...given);
  }

  suppress<T>(work: () => T): T {
    if (this.#current.get() === undefined) return this.#inner.suppress(work);
    return this.#current.run(undefined, () => this.#inner.suppress(work));
  }

  currentTraceId(): string | undefined {
    return this.#inner.currentTraceId();
  }

  currentSpanId(): string | undefined {
    return this.#inner.currentSpanId();
  }

  outgoingHeaders(): Readonly<Record<string, string>> {
    return this.#inner.outgoingHeaders();
  }

  flush(timeoutMs: number): Promise<boolean> {
    return this.#inner.flush(timeoutMs);
  }

  #startRequest(options: SpanOptions): OpenSpan {
    const { clock, traffic } = this.#watch;
    const span = this.#inner.startSpan(withInnerParent(options));
    const trace = traffic.admit(span.traceId);
    const now = trace?.startedAt ?? clock.now();
    const note = trace?.begin(undefined, options.operation, options.name, now);
    return new RequestSpan(span, {
      note,
      trace,
      current: this.#current,
      onEnd: request => {
        const durationMs = clock.now() - now;
        if (note !== undefined) note.durationMs = durationMs;
        traffic.ended(request, durationMs, trace);
      },
    });
  }

  /** Undefined outside of a request that is kept. */
  #begin({ name, operation, parent, attributes }: SpanOptions): SpanNote | undefined {
    const above = parent === undefined ? this.#current.get() : noteOf(parent);
    if (above === undefined) return undefined;
    const shown = ownOperation.test(operation) ? name : names.name(name);
    const note = above.trace.begin(above, operation, cut(shown), this.#watch.clock.now());
    if (note !== undefined && attributes !== undefined) note.note(attributes);
    if (operation === 'db.attempt' && Number(attributes?.['db.attempt']) > 1) above.trace.repeated += 1;
    return note;
  }

  #end(note: SpanNote): void {
    note.durationMs ??= this.#watch.clock.now() - note.trace.startedAt - note.startMs;
  }
}

/** What the service sets on a span reaches its telemetry, and the note of the page. */
class WatchedSpan implements Span {
  readonly inner: Span;
  readonly note: SpanNote;

  constructor(inner: Span, note: SpanNote) {
    this.inner = inner;
    this.note = note;
  }

  get isRecording(): boolean {
    return true;
  }

  setName(name: string): void {
    this.note.name = cut(ownOperation.test(this.note.operation) ? name : names.name(name));
    this.inner.setName(name);
  }

  setAttribute(name: string, value: AttributeValue): void {
    this.note.noteOne(name, value);
    this.inner.setAttribute(name, value);
  }

  setStatus(status: 'ok' | 'error', kind?: string): void {
    if (status === 'error') this.fails(kind);
    else this.note.outcome = 'ok';
    this.inner.setStatus(status, kind);
  }

  addEvent(name: string, attributes?: Attributes): void {
    this.inner.addEvent(name, attributes);
  }

  fails(kind: string | undefined): void {
    this.note.outcome = 'error';
    if (kind !== undefined) this.note.kind = cut(kind);
  }
}

class WatchedOpenSpan extends WatchedSpan implements OpenSpan {
  readonly #open: OpenSpan;
  readonly #current: ContextValue<SpanNote>;
  readonly #onEnd: () => void;

  constructor(open: OpenSpan, note: SpanNote, current: ContextValue<SpanNote>, onEnd: () => void) {
    super(open, note);
    this.#open = open;
    this.#current = current;
    this.#onEnd = onEnd;
  }

  get traceId(): string | undefined {
    return this.#open.traceId;
  }

  get spanId(): string | undefined {
    return this.#open.spanId;
  }

  run<T>(work: () => T): T {
    return this.#open.run(() => this.#current.run(this.note, work));
  }

  end(): void {
    this.#onEnd();
    this.#open.end();
  }
}

interface RequestSpanParts {
  readonly note: SpanNote | undefined;
  readonly trace: KeptTrace | undefined;
  readonly current: ContextValue<SpanNote>;
  readonly onEnd: (request: {
    readonly status: number | undefined;
    readonly code: string | undefined;
    readonly failed: boolean;
  }) => void;
}

/** The span of a request: counted always, kept when it has a note. */
class RequestSpan implements OpenSpan {
  readonly inner: OpenSpan;
  readonly note: SpanNote | undefined;
  readonly isRecording = true;
  readonly #parts: RequestSpanParts;
  #status: number | undefined;
  #code: string | undefined;
  #failed = false;
  #ended = false;

  constructor(inner: OpenSpan, parts: RequestSpanParts) {
    this.inner = inner;
    this.note = parts.note;
    this.#parts = parts;
  }

  get traceId(): string | undefined {
    return this.inner.traceId;
  }

  get spanId(): string | undefined {
    return this.inner.spanId;
  }

  setName(name: string): void {
    if (this.note !== undefined) this.note.name = cut(name);
    this.inner.setName(name);
  }

  setAttribute(name: string, value: AttributeValue): void {
    if (name === 'http.response.status_code') this.#status = Number(value);
    else if (name === 'keelson.problem.code') this.#code = cut(String(value));
    else if (name === 'keelson.request.id' && this.#parts.trace !== undefined) {
      this.#parts.trace.requestId = cut(String(value));
    }
    this.inner.setAttribute(name, value);
  }

  setStatus(status: 'ok' | 'error', kind?: string): void {
    this.#failed = status === 'error';
    const kept = kind === undefined ? undefined : cut(kind);
    if (this.#failed) this.#code ??= kept;
    if (this.note !== undefined) {
      this.note.outcome = status;
      if (this.#failed) this.note.kind = kept;
    }
    this.inner.setStatus(status, kind);
  }

  addEvent(name: string, attributes?: Attributes): void {
    this.inner.addEvent(name, attributes);
  }

  run<T>(work: () => T): T {
    const { note } = this;
    if (note === undefined) return this.inner.run(work);
    return this.inner.run(() => this.#parts.current.run(note, work));
  }

  end(): void {
    if (!this.#ended) {
      this.#ended = true;
      const { trace } = this.#parts;
      if (trace !== undefined) [trace.status, trace.code] = [this.#status, this.#code];
      this.#parts.onEnd({ status: this.#status, code: this.#code, failed: this.#failed });
    }
    this.inner.end();
  }
}

function noteOf(span: Span): SpanNote | undefined {
  return span instanceof WatchedSpan || span instanceof RequestSpan ? span.note : undefined;
}

/** The telemetry of the service knows its own spans only. */
function withInnerParent(options: SpanOptions): SpanOptions {
  const { parent } = options;
  if (parent instanceof WatchedSpan || parent instanceof RequestSpan) return { ...options, parent: parent.inner };
  return options;
}
