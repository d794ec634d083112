import type { Attributes, AttributeValue, OpenSpan } from '@keelson/core';
import { type Context, context, type Span, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';

const codes = { ok: SpanStatusCode.OK, error: SpanStatusCode.ERROR } as const;

export class OtelSpan implements OpenSpan {
  readonly active: Span;
  readonly #around: ((current: Context) => Context) | undefined;
  #hasStatus = false;

  /** `around` adds to a context what all spans of the trace share. Only a span without a parent in this process has it. */
  constructor(active: Span, around?: (current: Context) => Context) {
    this.active = active;
    this.#around = around;
  }

  get isRecording(): boolean {
    return this.active.isRecording();
  }

  get traceId(): string {
    return this.active.spanContext().traceId;
  }

  get spanId(): string | undefined {
    return spanIdOf(this.active);
  }

  get hasStatus(): boolean {
    return this.#hasStatus;
  }

  setName(name: string): void {
    if (this.isRecording) this.active.updateName(name);
  }

  setAttribute(name: string, value: AttributeValue): void {
    if (this.isRecording) this.active.setAttribute(name, value);
  }

  setStatus(status: 'ok' | 'error', kind?: string): void {
    if (!this.isRecording) return;
    this.#hasStatus = true;
    this.active.setStatus({ code: codes[status] });
    if (kind !== undefined) this.active.setAttribute('error.type', kind);
  }

  addEvent(name: string, attributes: Attributes = {}): void {
    if (this.isRecording) this.active.addEvent(name, attributes);
  }

  run<T>(work: () => T): T {
    const inside = trace.setSpan(context.active(), this.active);
    return context.with(this.#around?.(inside) ?? inside, work);
  }

  end(): void {
    if (this.isRecording) this.active.end();
  }
}

/** Undefined for a span that is not sent: it could not be found. */
export function spanIdOf(span: Span): string | undefined {
  const { spanId, traceFlags } = span.spanContext();
  return (traceFlags & TraceFlags.SAMPLED) === 0 ? undefined : spanId;
}
