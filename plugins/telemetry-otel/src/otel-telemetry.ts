import {
  type Breadcrumb,
  type Clock,
  type ErrorContext,
  errorKindOf,
  type Facts,
  notedFactsOf,
  type OpenSpan,
  type Span,
  type SpanOptions,
  silentSpan,
  type Telemetry,
} from '@keelson/core';
import { AttachedFacts, ErrorReports, type RemoteTrace, remoteTraceIn, traceparentOf } from '@keelson/core/telemetry';
import {
  type Context,
  context,
  createTraceState,
  SeverityNumber,
  SpanKind,
  TraceFlags,
  trace,
  type Span as VendorSpan,
} from '@opentelemetry/api';
import { isTracingSuppressed, suppressTracing, unsuppressTracing } from '@opentelemetry/core';
import { Breadcrumbs, type TimedBreadcrumb } from './breadcrumbs.js';
import { exceptionOf, recordOf } from './error-record.js';
import type { OtelSdk } from './otel-sdk.js';
import { OtelSpan, spanIdOf } from './otel-span.js';

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;
const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

export interface OtelTelemetryOptions {
  readonly errorsPerMinute: number;
  readonly maxBreadcrumbs: number;
}

/** Telemetry on the OpenTelemetry SDK of this process. */
export class OtelTelemetry implements Telemetry {
  readonly enabled = true;
  readonly #sdk: OtelSdk;
  readonly #clock: Clock;
  readonly #reports: ErrorReports;
  readonly #breadcrumbs: Breadcrumbs;
  readonly #attached = new AttachedFacts();

  constructor(sdk: OtelSdk, options: OtelTelemetryOptions, clock: Clock) {
    this.#sdk = sdk;
    this.#clock = clock;
    this.#reports = new ErrorReports(options.errorsPerMinute, clock);
    this.#breadcrumbs = new Breadcrumbs(options.maxBreadcrumbs);
  }

  async span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.startSpan(options);
    try {
      const result = await span.run(() => work(span));
      if (span instanceof OtelSpan && !span.hasStatus) span.setStatus('ok');
      return result;
    } catch (error) {
      if (span instanceof OtelSpan && !span.hasStatus) span.setStatus('error', errorKindOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  startSpan(options: SpanOptions): OpenSpan {
    const current = context.active();
    if (isTracingSuppressed(current)) return silentSpan;
    const { name, operation, kind = 'internal', attributes } = options;
    const parent = this.#parentOf(options, current);
    const settings = { kind: kinds[kind], attributes: { ...attributes, 'keelson.operation': operation } };
    const span = this.#sdk.tracer.startSpan(name, settings, parent);
    const given = trace.getSpanContext(parent);
    if (given !== undefined && given.isRemote !== true) return new OtelSpan(span);
    const own: TimedBreadcrumb[] = [];
    return new OtelSpan(span, inside => this.#breadcrumbs.begin(inside, own));
  }

  captureError(error: unknown, given: ErrorContext = {}): void {
    const admitted = this.#reports.admit(error, given.operation);
    if (admitted === undefined) return;
    try {
      const current = unsuppressTracing(context.active());
      trace.getSpan(current)?.addEvent('exception', exceptionOf(error));
      const surroundings = {
        context: given,
        noted: notedFactsOf(error),
        skipped: admitted.skipped,
        attached: this.#attached.read(),
        breadcrumbs: this.#breadcrumbs.seenFrom(current),
      };
      const attributes = recordOf(error, surroundings, this.#sdk.mask);
      this.#sdk.logger?.emit({
        eventName: 'exception',
        severityNumber: SeverityNumber.ERROR,
        severityText: 'ERROR',
        body: String(attributes['exception.message']),
        attributes,
        context: current,
      });
    } catch {
      // An error that cannot be reported must not become another one.
    }
  }

  breadcrumb(breadcrumb: Breadcrumb): void {
    this.#breadcrumbs.add(breadcrumb, this.#clock.date(), context.active());
  }

  attachFacts(name: string, read: () => Facts): Disposable {
    return this.#attached.attach(name, read);
  }

  suppress<T>(work: () => T): T {
    return context.with(suppressTracing(context.active()), work);
  }

  currentTraceId(): string | undefined {
    return current()?.spanContext().traceId;
  }

  currentSpanId(): string | undefined {
    const span = current();
    return span && spanIdOf(span);
  }

  outgoingHeaders(): Readonly<Record<string, string>> {
    const span = current();
    if (span === undefined || !this.#sdk.propagates) return noHeaders;
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
    const traceparent = traceparentOf({ traceId, spanId, isSampled });
    const tracestate = traceState?.serialize() ?? '';
    return tracestate === '' ? { traceparent } : { traceparent, tracestate };
  }

  flush(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, () => this.#sdk.flush());
  }

  /** Sends all that waits, as `flush` does, and shuts the SDK down: later reports are discarded. */
  close(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, () => this.#sdk.close());
  }

  /** The context that a span starts in. */
  #parentOf({ continues, parent }: SpanOptions, active: Context): Context {
    if (continues === undefined) return parent instanceof OtelSpan ? trace.setSpan(active, parent.active) : active;
    const remote = this.#sdk.propagates ? remoteTraceIn(continues) : undefined;
    return remote === undefined ? trace.deleteSpan(active) : continued(remote, active);
  }

  async #within(timeoutMs: number, send: () => Promise<void>): Promise<boolean> {
    const failuresBefore = this.#sdk.watch.failures;
    const late = Promise.withResolvers<boolean>();
    const timer = this.#clock.schedule(timeoutMs, () => late.resolve(false), { keepAlive: true });
    try {
      const sent = send().then(() => true);
      return (await Promise.race([sent, late.promise])) && this.#sdk.watch.failures === failuresBefore;
    } catch {
      return false;
    } finally {
      timer.cancel();
    }
  }
}

function current(): VendorSpan | undefined {
  const active = context.active();
  return isTracingSuppressed(active) ? undefined : trace.getSpan(active);
}

function continued({ traceId, spanId, isSampled, state }: RemoteTrace, active: Context): Context {
  return trace.setSpanContext(active, {
    traceId,
    spanId,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(state !== undefined && { traceState: createTraceState(state) }),
  });
}
