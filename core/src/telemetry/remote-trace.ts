import type { IncomingHeaders } from '../contract/slots/telemetry.js';

/** The trace and the span of a sender, as the headers of its request name them. */
export interface RemoteTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
  /** What other tracing systems pass along; to be sent on unchanged. */
  readonly state: string | undefined;
}

const traceparent = /^[ \t]*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?[ \t]*$/;
const nothing = /^0+$/;
const longestState = 512;

/** Reads `traceparent` and `tracestate` (W3C Trace Context); undefined when there is no valid one. */
export function remoteTraceIn(headers: IncomingHeaders): RemoteTrace | undefined {
  const given = headers.traceparent;
  const [, version, traceId = '', spanId = '', flags = '', more] =
    (typeof given === 'string' ? traceparent.exec(given) : null) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (nothing.test(traceId) || nothing.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1, state: stateIn(headers.tracestate) };
}

/** Writes `traceparent`. */
export function traceparentOf({ traceId, spanId, isSampled }: Omit<RemoteTrace, 'state'>): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

function stateIn(header: IncomingHeaders[string]): string | undefined {
  const state = typeof header === 'object' ? header.join(',') : header;
  return state !== undefined && state.length <= longestState && /^[\x20-\x7e]+$/.test(state) ? state : undefined;
}
