import {
  type Breadcrumb,
  type Clock,
  ContextValue,
  currentContext,
  type ErrorContext,
  errorKindOf,
  type Facts,
  isKeelsonError,
  notedFactsOf,
  type OpenSpan,
  type Span,
  type SpanOptions,
  silentSpan,
  type Telemetry,
} from '@keelson/core';
import { AttachedFacts, ErrorReports } from '@keelson/core/telemetry';
import * as Sentry from '@sentry/node';
import type { SentryClient } from './sentry-client.js';
import { headersOf, inTraceOf } from './sentry-propagation.js';
import { SentrySpan, spanIdOf } from './sentry-span.js';

const suppressed = new ContextValue<true>('suppressed spans');
const noHeaders: Readonly<Record<string, string>> = Object.freeze({});
const levels = { info: 'info', warn: 'warning', error: 'error' } as const;

/** Telemetry on the Sentry of this process. */
export class SentryTelemetry implements Telemetry {
  readonly enabled = true;
  readonly #client: SentryClient;
  readonly #clock: Clock;
  readonly #reports: ErrorReports;
  readonly #attached = new AttachedFacts();
  #lastCrumbAt = 0;

  constructor(client: SentryClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.#reports = new ErrorReports(client.errorsPerMinute, clock);
  }

  async span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.startSpan(options);
    try {
      const result = await span.run(() => work(span));
      if (span instanceof SentrySpan && !span.hasStatus) span.setStatus('ok');
      return result;
    } catch (error) {
      if (span instanceof SentrySpan && !span.hasStatus) span.setStatus('error', errorKindOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  startSpan(options: SpanOptions): OpenSpan {
    if (suppressed.get() === true) return silentSpan;
    const { mask } = this.#client;
    const { operation, kind = 'internal', attributes, continues } = options;
    // The name of the first span goes into the header of the envelope, which no hook of Sentry's can change.
    const name = mask.name(options.name);
    const settings = { name, op: operation, attributes: { ...attributes, 'span.kind': kind } };
    const given = options.parent instanceof SentrySpan ? options.parent.active : undefined;
    const parent = continues === undefined ? (given ?? Sentry.getActiveSpan()) : undefined;
    if (parent !== undefined) {
      return new SentrySpan(Sentry.startInactiveSpan({ ...settings, parentSpan: parent }), mask);
    }
    return Sentry.withIsolationScope(scope => {
      const started = inTraceOf(continues, () => Sentry.startInactiveSpan({ ...settings, parentSpan: null }));
      return new SentrySpan(started, mask, scope);
    });
  }

  captureError(error: unknown, context: ErrorContext = {}): void {
    const admitted = this.#reports.admit(error, context.operation);
    if (admitted === undefined) return;
    try {
      Sentry.withScope(scope => {
        this.#describe(scope, error, context, admitted.skipped);
        Sentry.captureException(error, { mechanism: { handled: true, type: 'keelson' } });
      });
    } catch {
      // An error that cannot be reported must not become another one.
    }
  }

  breadcrumb({ category, message, level = 'info', facts, processWide = false }: Breadcrumb): void {
    const { mask, maxBreadcrumbs } = this.#client;
    const crumb = {
      category,
      message: mask.text(message),
      level: levels[level],
      timestamp: this.#nextCrumbAt(),
      ...(facts !== undefined && { data: mask.facts(facts) }),
    };
    if (!processWide) Sentry.addBreadcrumb(crumb);
    else if (maxBreadcrumbs > 0) Sentry.getGlobalScope().addBreadcrumb(crumb, maxBreadcrumbs);
  }

  attachFacts(name: string, read: () => Facts): Disposable {
    return this.#attached.attach(name, read);
  }

  suppress<T>(work: () => T): T {
    return suppressed.run(true, () => Sentry.suppressTracing(work));
  }

  currentTraceId(): string | undefined {
    return this.#current()?.spanContext().traceId;
  }

  currentSpanId(): string | undefined {
    const span = this.#current();
    return span && spanIdOf(span);
  }

  outgoingHeaders(): Readonly<Record<string, string>> {
    const span = this.#current();
    return span === undefined ? noHeaders : headersOf(span);
  }

  async flush(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, limit => Sentry.flush(limit));
  }

  /** Sends all buffered events, as `flush` does, and closes the client: later reports are discarded. */
  async close(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, limit => Sentry.close(limit));
  }

  /** In seconds; later than the one before, so that those of one millisecond keep their order. */
  #nextCrumbAt(): number {
    this.#lastCrumbAt = Math.max(this.#clock.date().getTime() / 1_000, this.#lastCrumbAt + 0.000_01);
    return this.#lastCrumbAt;
  }

  #current(): Sentry.Span | undefined {
    return suppressed.get() === true ? undefined : Sentry.getActiveSpan();
  }

  #describe(scope: Sentry.Scope, error: unknown, context: ErrorContext, skipped: number): void {
    const { mask } = this.#client;
    const tags = { operation: context.operation, ...currentContext() };
    for (const [name, value] of Object.entries(tags)) if (value !== undefined) scope.setTag(name, value);
    for (const [name, facts] of this.#attached.read()) scope.setContext(name, mask.facts(facts));
    const left = skipped === 0 ? undefined : { notReportedBefore: skipped };
    const about = mask.facts(notedFactsOf(error), context.facts, left);
    if (Object.keys(about).length > 0) scope.setContext('facts', about);
    if (!isKeelsonError(error)) return;
    const { code, hint, facts } = error;
    scope.setTag('error.code', code);
    scope.setFingerprint(['{{ default }}', code]);
    scope.setContext('error', mask.facts({ code, hint, facts }));
  }

  /** Sentry applies a limit to each of its steps, and counts what failed to be sent as sent. */
  async #within(timeoutMs: number, send: (limitMs: number) => PromiseLike<boolean>): Promise<boolean> {
    const lostBefore = this.#client.lostEnvelopes();
    const late = Promise.withResolvers<boolean>();
    const timer = this.#clock.schedule(timeoutMs, () => late.resolve(false), { keepAlive: true });
    try {
      const sent = await Promise.race([send(Math.max(1, timeoutMs)), late.promise]);
      return sent && this.#client.lostEnvelopes() === lostBefore;
    } catch {
      return false;
    } finally {
      timer.cancel();
    }
  }
}
