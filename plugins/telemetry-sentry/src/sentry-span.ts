import type { Attributes, AttributeValue, OpenSpan } from '@keelson/core';
import * as Sentry from '@sentry/node';
import type { EventMask } from './event-mask.js';

const statusCodes = { ok: 1, error: 2 } as const;

/** A span of Sentry. The first one of a trace has a scope of its own, so that two requests never share tags. */
export class SentrySpan implements OpenSpan {
  readonly active: Sentry.Span;
  readonly #mask: EventMask;
  readonly #scope: Sentry.Scope | undefined;
  #status: 'ok' | 'error' | undefined;

  constructor(active: Sentry.Span, mask: EventMask, scope?: Sentry.Scope) {
    this.active = active;
    this.#mask = mask;
    this.#scope = scope;
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
    return this.#status !== undefined;
  }

  setName(name: string): void {
    if (this.isRecording) this.active.updateName(this.#mask.name(name));
  }

  setAttribute(name: string, value: AttributeValue): void {
    if (this.isRecording) this.active.setAttribute(name, value);
  }

  setStatus(status: 'ok' | 'error', kind?: string): void {
    if (!this.isRecording) return;
    this.#status = status;
    this.active.setStatus({ code: statusCodes[status], ...(kind !== undefined && { message: kind }) });
    if (kind !== undefined) this.active.setAttribute('error.type', kind);
  }

  /** Sentry shows no events of spans: it shows what came before an error. */
  addEvent(name: string, attributes: Attributes = {}): void {
    if (!this.isRecording) return;
    Sentry.addBreadcrumb({ category: 'span', message: name, data: this.#mask.facts(attributes) });
  }

  run<T>(work: () => T): T {
    const within = () => Sentry.withActiveSpan(this.active, work);
    return this.#scope === undefined ? within() : Sentry.withIsolationScope(this.#scope, within);
  }

  end(): void {
    this.active.end();
  }
}

/** Undefined for a span that is not sent: it could not be found. */
export function spanIdOf(span: Sentry.Span): string | undefined {
  const { spanId, traceFlags } = span.spanContext();
  return traceFlags === 1 ? spanId : undefined;
}
