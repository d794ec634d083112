import {
  type Clock,
  currentContext,
  type ErrorContext,
  isKeelsonError,
  type Span,
  type SpanOptions,
  type Telemetry,
} from '@keelson/core';
import * as Sentry from '@sentry/node';
import type { SentryClient } from './sentry-client.js';

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

const statusCodes = { ok: 1, error: 2 } as const;

/** Telemetry on the Sentry of this process. */
export class SentryTelemetry implements Telemetry {
  readonly #client: SentryClient;
  readonly #clock: Clock;
  readonly #captured = new WeakSet<object>();

  constructor(client: SentryClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const { operation, attributes } = options;
    // The name of the first span goes into the header of the envelope, which no hook of Sentry's can change.
    const name = this.#client.mask.name(options.name);
    const settings = { name, op: operation, ...(attributes === undefined ? {} : { attributes: { ...attributes } }) };
    // Sentry would mark a span whose callback rejects as an error, even if the work has set another status.
    const outcome = await inTrace(() => Sentry.startSpan(settings, active => settle(active, work)));
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  captureError(error: unknown, context: ErrorContext = {}): void {
    if (typeof error === 'object' && error !== null) {
      if (this.#captured.has(error)) return;
      this.#captured.add(error);
    }
    try {
      Sentry.withScope(scope => {
        this.#describe(scope, error, context);
        Sentry.captureException(error, { mechanism: { handled: true, type: 'keelson' } });
      });
    } catch {
      // An error that cannot be reported must not become another one.
    }
  }

  suppress<T>(work: () => T): T {
    return Sentry.suppressTracing(work);
  }

  currentTraceId(): string | undefined {
    return Sentry.getActiveSpan()?.spanContext().traceId;
  }

  async flush(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, limit => Sentry.flush(limit));
  }

  /** Sends all buffered events, as `flush` does, and closes the client: later reports are discarded. */
  async close(timeoutMs: number): Promise<boolean> {
    return this.#within(timeoutMs, limit => Sentry.close(limit));
  }

  #describe(scope: Sentry.Scope, error: unknown, context: ErrorContext): void {
    const { mask } = this.#client;
    const tags = { operation: context.operation, ...currentContext() };
    for (const [name, value] of Object.entries(tags)) if (value !== undefined) scope.setTag(name, value);
    if (context.facts !== undefined) scope.setContext('facts', mask.facts(context.facts));
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

/** Starts a trace of its own for work outside of a request; Sentry would put all work of the process into one. */
function inTrace<T>(work: () => T): T {
  if (Sentry.getActiveSpan() !== undefined) return work();
  return Sentry.withIsolationScope(() => Sentry.startNewTrace(work));
}

async function settle<T>(active: Sentry.Span, work: (span: Span) => Promise<T>): Promise<Outcome<T>> {
  let said: 'ok' | 'error' | undefined;
  const setStatus = (status: 'ok' | 'error') => {
    said = status;
    active.setStatus({ code: statusCodes[status] });
  };
  try {
    const value = await work({ setAttribute: (name, value) => void active.setAttribute(name, value), setStatus });
    if (said === undefined) setStatus('ok');
    return { value };
  } catch (error) {
    if (said === undefined) setStatus('error');
    return { error };
  }
}
