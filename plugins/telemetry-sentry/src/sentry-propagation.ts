import type { IncomingHeaders } from '@keelson/core';
import { remoteTraceIn } from '@keelson/core/telemetry';
import * as Sentry from '@sentry/node';

const sentryTrace = /^[ \t]*[0-9a-f]{32}-[0-9a-f]{16}(-[01])?[ \t]*$/;
/** What Sentry needs of a `baggage`. Any client can send one: the rest, such as names and users, would go out with each envelope. */
const neededBaggage =
  /^\s*(sentry-(trace_id=[0-9a-f]{32}|org_id=\d{1,20}|public_key=[\w-]{1,64}|sample_(rate|rand)=[\d.]{1,24}|sampled=(true|false)))\s*$/;
/** Longest `baggage` that is read, as W3C Baggage has it. */
const longestBaggage = 8_192;

/** What other tracing systems pass along, by the first span of a trace. */
const states = new WeakMap<Sentry.Span, string>();

/** Starts what `start` returns in the trace of the sender, or in a new one. `sentry-trace` is preferred: it is ours. */
export function inTraceOf(headers: IncomingHeaders | undefined, start: () => Sentry.Span): Sentry.Span {
  const own = headers?.['sentry-trace'];
  if (typeof own === 'string' && sentryTrace.test(own)) {
    return Sentry.continueTrace({ sentryTrace: own, baggage: baggageIn(headers) }, start);
  }
  const remote = headers && remoteTraceIn(headers);
  if (remote === undefined) return Sentry.startNewTrace(start);
  const { traceId, spanId, isSampled, state } = remote;
  const given = `${traceId}-${spanId}-${isSampled ? 1 : 0}`;
  const span = Sentry.continueTrace({ sentryTrace: given, baggage: baggageIn(headers) }, start);
  if (state !== undefined) states.set(span, state);
  return span;
}

/** `sentry-trace`, `baggage`, `traceparent`, and the `tracestate` with which the trace came. */
export function headersOf(span: Sentry.Span): Readonly<Record<string, string>> {
  const { 'sentry-trace': trace, baggage, traceparent } = Sentry.getTraceData({ span, propagateTraceparent: true });
  const tracestate = states.get(Sentry.getRootSpan(span));
  return {
    ...(trace !== undefined && { 'sentry-trace': trace }),
    ...(baggage !== undefined && { baggage }),
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  };
}

function baggageIn(headers: IncomingHeaders | undefined): string | undefined {
  const given = headers?.baggage;
  const baggage = typeof given === 'object' ? given.join(',') : given;
  if (baggage === undefined || baggage.length > longestBaggage) return undefined;
  return (
    baggage
      .split(',')
      .flatMap(entry => neededBaggage.exec(entry)?.[1] ?? [])
      .join(',') || undefined
  );
}
