import { type CorrelationContext, currentContext } from '../contract/context.js';
import type { Telemetry } from '../contract/slots/telemetry.js';

/**
 * The ids of the calling code for a line: those of its context, and of the span that it runs in. Telemetry is asked when a
 * line is written, and at no other time.
 */
export class CurrentTrace {
  #telemetry: Telemetry | undefined;

  /** From now on lines outside of a request have the trace of `telemetry` too. */
  follow(telemetry: Telemetry): void {
    this.#telemetry = telemetry;
  }

  readonly ids = (): CorrelationContext => {
    const context = currentContext();
    const traceId = this.#telemetry?.currentTraceId();
    if (traceId === undefined) return context;
    const spanId = this.#telemetry?.currentSpanId();
    return spanId === undefined ? { ...context, traceId } : { ...context, traceId, spanId };
  };
}
